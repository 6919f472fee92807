"""The language of a bitext's columns is guessed where py3langid is installed."""

import pytest

from optical_cli.data.languages import looks_like_another
from optical_cli.data.paths import TINY

ROWS = [line.split("\t") for line in (TINY / "bitext.en-sw.tsv").read_text(encoding="utf-8").splitlines()]
ENGLISH, SWAHILI = ([row[side] for row in ROWS] for side in (0, 1))


def test_a_column_in_the_wrong_language_is_told_with_its_share():
    assert looks_like_another(ENGLISH, "sw").language == "en"
    assert looks_like_another(SWAHILI, "en").share > 0.9


@pytest.mark.parametrize(("texts", "language"), [(ENGLISH, "en"), (SWAHILI, "sw"), (ENGLISH, "x_unknown"), ([], "en")])
def test_the_expected_language_and_one_that_cannot_be_told_are_not_doubted(texts, language):
    assert looks_like_another(texts, language) is None


def test_nothing_is_guessed_without_the_package(monkeypatch):
    monkeypatch.setattr("optical_cli.data.languages.find_spec", lambda _name: None)
    assert looks_like_another(ENGLISH, "sw") is None
