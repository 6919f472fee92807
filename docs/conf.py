"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

from optical_cli import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "optical"
author = "the authors of optical"
copyright = author  # noqa: A001 - Sphinx reads this name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "property_docstrings", "generated"]
html_math_renderer = "mathml"
exclude_patterns = ["_ext"]
default_role = "code"  # docstrings have single backticks around names
nitpick_ignore_regex = [  # types of signatures that have no page here
    ("py:.*", r"(collections|pathlib|torch|typing)\..*|DataFrame|MultiVectorEncoder"),
    ("py:.*", r"optical_cli\.(artifacts|config|progress|session)\..*"),
]
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"optical {__version__}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-api-name": "#0a4bff", "color-api-pre-name": "#0a4bff"},
    "dark_css_variables": {"color-api-name": "#7aa2ff", "color-api-pre-name": "#7aa2ff"},
}
