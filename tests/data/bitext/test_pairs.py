import pytest

from optical_cli.config.bitext import Filter
from optical_cli.data.bitext.pairs import REASONS, SAMPLE, SentencePair, select_pairs
from optical_cli.data.bitext.rows import Row
from optical_cli.data.text_files import Place

GOOD = ("the boat is mended", "mashua inatengenezwa")


def selected(*pairs, **settings):
    rows = [Row(Place("b.tsv", number), *pair) for number, pair in enumerate(pairs, start=1)]
    return select_pairs(rows, Filter(**settings))


@pytest.mark.parametrize(
    ("pair", "reason", "lets_it_pass"),
    [
        (("the boat", ""), "empty", None),
        (("", "mashua"), "empty", None),
        (("", ""), "empty", None),
        (("The Boat", "the boat"), "equal", {"equal": False}),
        (("no", "h" * 19), "length_ratio", {"length_ratio": 9.5}),
        (("n" * 19, "ha"), "length_ratio", {"length_ratio": None}),
        (("n" * 2001, "h" * 1000), "too_long", {"max_characters": 2001}),
        (("n" * 1000, "h" * 2001), "too_long", {"max_characters": None}),
        (GOOD, "duplicate", None),
    ],
)
def test_a_row_is_dropped_for_its_reason_and_counted(pair, reason, lets_it_pass):
    found = selected(GOOD, pair)
    assert [(kept.teacher, kept.foreign) for kept in found.pairs] == [GOOD]
    assert found.dropped == {name: int(name == reason) for name in REASONS}
    assert [(dropped.reason, dropped.row) for dropped in found.sample] == [(reason, Row(Place("b.tsv", 2), *pair))]
    if lets_it_pass is not None:
        allowed = selected(GOOD, pair, **lets_it_pass)
        assert allowed.pairs[1] == SentencePair(1, *pair)
        assert sum(allowed.dropped.values()) == 0


def test_what_just_passes_passes():
    assert len(selected(GOOD, ("no", "h" * 18), ("n" * 2000, "h" * 2000)).pairs) == 3


def test_a_row_counts_once_and_rows_are_the_sum():
    long_copy = "x" * 3000
    found = selected(GOOD, (long_copy, long_copy), GOOD, ("", ""), GOOD)
    assert {name: count for name, count in found.dropped.items() if count} == {"equal": 1, "empty": 1, "duplicate": 2}
    assert found.rows == 5 == len(found.pairs) + sum(found.dropped.values())


def test_of_each_reason_the_first_few_are_kept_to_be_looked_at():
    found = selected(*[("", f"sw {number}") for number in range(20)], *[GOOD] * 20)
    assert [dropped.row.place.number for dropped in found.sample] == [
        *range(1, SAMPLE + 1), *range(22, 22 + SAMPLE)
    ]  # fmt: skip
    assert found.dropped["empty"] == 20
    assert found.dropped["duplicate"] == 19
