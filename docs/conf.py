"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

from optical_cli import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "optical"
author = "the authors of optical"
copyright = author  # noqa: A001 - Sphinx reads this name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
html_math_renderer = "mathml"
exclude_patterns = ["_ext"]
nitpicky = True

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"optical {__version__}"
