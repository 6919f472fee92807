import json
from pkgutil import resolve_name

import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.bitext import Filter
from optical_cli.config.bitext_formats import FORMATS
from optical_cli.data import paths
from optical_cli.data.bitext import SentencePair, record_dropped
from optical_cli.data.bitext.bitext import REASONS, SAMPLE, select_pairs, split_bitext
from optical_cli.data.bitext.rows import Row, RowFiles
from optical_cli.data.text_files import Place
from optical_cli.errors import DataError


@pytest.mark.parametrize("name", ["b.tsv", "b.tsv.gz", "b.tsv.zst"])
def test_rows_keep_their_numbers_when_duplicates_are_dropped_and_counted(write, bitext_of, name):
    write(name, "\ufeffone\tmoja\r\ntwo\tmbili\r\none\tmoja\r\none\tmosi\r\n\r\n")
    bitext = bitext_of(source=name)
    assert bitext.pairs() == [
        SentencePair(0, "one", "moja"),
        SentencePair(1, "two", "mbili"),
        SentencePair(3, "one", "mosi"),
    ]
    assert (bitext.selection.rows, bitext.selection.dropped["duplicate"]) == (4, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("two", "expected 2 columns, sentence TAB translation, found 1 in 'two'"),
        ("two\tmbili\t0.9", "expected 2 columns, sentence TAB translation, found 3 in"),
    ],
)
def test_a_line_without_exactly_one_translation_is_refused(write, bitext_of, line, said):
    path = write("b.tsv", f"one\tmoja\n{line}\nthree\ttatu\n")
    with pytest.raises(DataError) as caught:
        bitext_of(source="b.tsv").pairs()
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


def test_two_files_are_read_line_by_line(write, bitext_of):
    write("x.en", "one\ntwo\n")
    write("x.sw.gz", "moja\r\nmbili\r\n\r\n")
    bitext = bitext_of(source=["x.en", "x.sw.gz"])
    assert bitext.pairs() == [SentencePair(0, "one", "moja"), SentencePair(1, "two", "mbili")]
    assert bitext.name == "x.en + x.sw.gz"


def test_two_files_of_different_length_are_refused_with_both_lengths(write, bitext_of):
    write("x.en", "one\ntwo\nthree\n")
    write("x.sw", "moja\nmbili\n")
    with pytest.raises(DataError, match=r"x\.en has 3 lines and .*x\.sw has 2;"):
        bitext_of(source=["x.en", "x.sw"]).pairs()


def test_blank_lines_and_empty_sides_are_left_out_and_counted(write, bitext_of):
    write("b.tsv", "one\tmoja\n\ntwo\t \n\tmbili\nthree\ttatu\n")
    bitext = bitext_of(source="b.tsv")
    assert bitext.pairs() == [SentencePair(0, "one", "moja"), SentencePair(4, "three", "tatu")]
    assert (bitext.selection.rows, bitext.selection.dropped["empty"]) == (5, 3)


def test_two_files_stay_aligned_over_blank_lines(write, bitext_of):
    write("x.en", "one\ntwo\n\nfour\nfive\n\n")
    write("x.sw", "moja\n\n\nnne\n\n")
    bitext = bitext_of(source=["x.en", "x.sw"])
    assert bitext.pairs() == [SentencePair(0, "one", "moja"), SentencePair(3, "four", "nne")]
    assert (bitext.selection.rows, bitext.selection.dropped["empty"]) == (5, 3)
    assert [row.place.number for _, row in bitext.selection.sample] == [2, 3, 5]


def test_sources_without_usable_pairs_are_refused(write, bitext_of):
    write("empty.tsv", "\n")
    with pytest.raises(DataError, match="expected at least one sentence pair, found none"):
        bitext_of(source="empty.tsv").pairs()
    write("useless.tsv", "one\tOne\n\tmbili\n")
    with pytest.raises(DataError, match=r"found 2 rows, all dropped \(1 empty, 1 equal\)"):
        bitext_of(source="useless.tsv").pairs()
    with pytest.raises(DataError, match=r"absent\.tsv does not exist"):
        bitext_of(source="absent.tsv")
    with pytest.raises(
        DataError, match=r"is a folder; expected a TSV .*Name the folder of a dataset as bitext\.\*\.dataset"
    ):
        bitext_of(source=".")


def test_the_fingerprint_follows_content_and_order_of_the_files(write, bitext_of, tmp_path):
    write("x.en", "one\n")
    write("x.sw", "moja\n")
    write("y.en", "one\n")

    def digest(*names):
        return bitext_of(source=list(names)).fingerprint(Fingerprints(tmp_path / "memo"))

    assert digest("x.en", "x.sw") == digest("y.en", "x.sw")
    assert digest("x.en", "x.sw") != digest("x.sw", "x.en")
    before = digest("x.en", "x.sw")
    write("x.sw", "mosi\n1")
    assert digest("x.en", "x.sw") != before


def test_builtin_is_the_packaged_file(write, bitext_of, monkeypatch):
    monkeypatch.setitem(paths.BUILTIN["bitext"], "tiny", write("shipped.tsv", "one\tmoja\n"))
    assert bitext_of(source="builtin:tiny").pairs() == [SentencePair(0, "one", "moja")]


def test_dropped_rows_are_counted_reported_and_sampled_with_their_lines(write, bitext_of, tmp_path):
    write("b.tsv", "one\tmoja\ntwo\tTwo\none\tmoja\nlong\t" + "ndefu " * 400 + "\nthree\ttatu\n\t\nfour\tnne\n")
    said: list[str] = []
    bitext = bitext_of(source="b.tsv", filter={"length_ratio": None})
    split = split_bitext(bitext.pairs(), 0, None, "b.tsv")
    counts = record_dropped(bitext, split, tmp_path, said.append)
    assert counts == {
        "rows": 7,
        "kept": 3,
        "dropped": {"empty": 1, "equal": 1, "length_ratio": 0, "too_long": 1, "duplicate": 1},
        "trained": 3,
        "held_out": 0,
        "sharing_with_held_out": 0,
    }
    assert said == [
        "b.tsv: 4 of 7 rows dropped (1 empty, 1 equal, 1 too_long, 1 duplicate); "
        "examples are in dropped.jsonl of the encodings"
    ]
    lines = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"reason": "equal", "line": 2, "teacher": "two", "foreign": "Two"}
    assert [(line["reason"], line["line"]) for line in lines[1:]] == [("duplicate", 3), ("too_long", 4), ("empty", 6)]
    assert len(lines[2]["foreign"]) == 500


def test_pairs_that_share_a_sentence_with_a_held_out_one_are_counted_and_said(write, bitext_of, tmp_path):
    """Of 108 rows 60 have one translation: where one of them is held out, the others are not trained on."""
    rows = [f"sentence {n}\tsentensi {n}\n" for n in range(48)] + [f"other {n}\tile ile\n" for n in range(60)]
    write("b.tsv", "".join(rows))
    said: list[str] = []
    bitext = bitext_of(source="b.tsv")
    split = split_bitext(bitext.pairs(), 6, None, "b.tsv")
    counts = record_dropped(bitext, split, tmp_path, said.append)
    assert counts["kept"] == counts["trained"] + counts["held_out"] + counts["sharing_with_held_out"] == 108
    assert counts["sharing_with_held_out"] > 50
    (line,) = said
    assert line.startswith(
        f"b.tsv: {counts['sharing_with_held_out']} pairs share a sentence with one of the 6 held-out"
    )
    assert line.endswith(f"not trained on; {counts['trained']} are")


def test_nothing_is_reported_if_no_row_is_dropped(write, bitext_of, tmp_path):
    write("b.tsv", "one\tmoja\n")
    said: list[str] = []
    bitext = bitext_of(source="b.tsv")
    split = split_bitext(bitext.pairs(), 0, None, "b.tsv")
    assert record_dropped(bitext, split, tmp_path, said.append)["rows"] == 1
    assert said == []
    assert (tmp_path / "dropped.jsonl").read_text() == ""


def test_each_format_has_a_reader_and_a_description():
    for known in FORMATS.values():
        assert issubclass(resolve_name(f"optical_cli.data.bitext.{known.reader}"), RowFiles)
        assert known.sentence
    endings = [ending for known in FORMATS.values() for ending in known.endings]
    assert len(set(endings)) == len(endings)


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
def test_a_row_is_dropped_and_counted_by_its_reason(pair, reason, lets_it_pass):
    found = selected(GOOD, pair)
    assert [(kept.teacher, kept.foreign) for kept in found.pairs] == [GOOD]
    assert found.dropped == {name: int(name == reason) for name in REASONS}
    assert list(found.sample) == [(reason, Row(Place("b.tsv", 2), *pair))]
    if lets_it_pass is not None:
        allowed = selected(GOOD, pair, **lets_it_pass)
        assert allowed.pairs[1] == SentencePair(1, *pair)
        assert sum(allowed.dropped.values()) == 0


def test_rows_at_the_limits_are_kept():
    assert len(selected(GOOD, ("no", "h" * 18), ("n" * 2000, "h" * 2000)).pairs) == 3


def test_each_row_counts_once():
    long_copy = "x" * 3000
    found = selected(GOOD, (long_copy, long_copy), GOOD, ("", ""), GOOD)
    assert {name: count for name, count in found.dropped.items() if count} == {"equal": 1, "empty": 1, "duplicate": 2}
    assert found.rows == 5 == len(found.pairs) + sum(found.dropped.values())


def test_the_first_dropped_rows_of_each_reason_are_sampled():
    found = selected(*[("", f"sw {number}") for number in range(20)], *[GOOD] * 20)
    assert [row.place.number for _, row in found.sample] == [
        *range(1, SAMPLE + 1), *range(22, 22 + SAMPLE)
    ]  # fmt: skip
    assert found.dropped["empty"] == 20
    assert found.dropped["duplicate"] == 19


def test_a_side_of_invisible_characters_is_empty(write, bitext_of):
    write("b.tsv", "one\tmoja\ntwo\t\u200b\n\ufeff\u00ad\tmbili\n")
    selection = bitext_of(source="b.tsv").selection
    assert (len(selection.pairs), selection.dropped["empty"]) == (1, 2)
