"""The site that `make docs` has built; `make check` builds it first."""

import json
import re
from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "build" / "docs"
pytestmark = pytest.mark.skipif(not (SITE / "searchindex.js").exists(), reason="`make docs` was not run")


def test_the_search_finds_what_people_look_for():
    index = json.loads((SITE / "searchindex.js").read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    stems = {"train", "pool", "reg", "ir_dataset", "cuda"}  # of train, pooled, reg, ir_datasets, CUDA
    assert stems <= index["terms"].keys()
    assert "epochs" in str(index["objects"]["training"])


def test_no_page_loads_anything_from_elsewhere():
    for page in SITE.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"(http[^\"]+)", page.read_text())
        loaded += re.findall(r"<link[^>]+rel=\"(?:stylesheet|preload)\"[^>]+href=\"(http[^\"]+)", page.read_text())
        assert loaded == [], page.name
    for sheet in SITE.rglob("*.css"):
        assert "url(http" not in sheet.read_text(), sheet.name


def test_a_setting_and_an_option_have_an_entry_that_can_be_linked():
    assert 'id="confval-training.epochs"' in (SITE / "reference/settings.html").read_text()
    assert 'id="cmdoption-optical-sweep-json"' in (SITE / "reference/commands.html").read_text()
