"""What a release carries agrees on its version."""

import re
import tomllib
from pathlib import Path

import yaml

from optical_cli import __version__

ROOT = Path(__file__).parents[2]


def test_the_package_the_citation_and_the_changelog_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.findall(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert project["version"] == citation["version"] == newest == __version__


def test_the_paper_is_cited_by_its_doi():
    (paper,) = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    assert paper["doi"] == "10.1145/3539597.3570468"
