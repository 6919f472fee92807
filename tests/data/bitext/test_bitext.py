import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data import builtin
from optical_cli.data.bitext import SentencePair
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
        ("two", "expected a sentence TAB its translation, found 'two'"),
        ("two\tmbili\t0.9", "expected two columns, sentence TAB translation, found 3 columns"),
    ],
)
def test_a_line_without_its_translation_or_with_more_is_refused(write, bitext_of, line, said):
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


def test_two_files_of_different_length_say_both_counts(write, bitext_of):
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


def test_sources_that_hold_nothing_are_refused(write, bitext_of):
    write("empty.tsv", "\n")
    with pytest.raises(DataError, match="holds no sentence pair"):
        bitext_of(source="empty.tsv").pairs()
    write("useless.tsv", "one\tOne\n\tmbili\n")
    with pytest.raises(DataError, match=r"found 2 rows of which none can be used \(1 empty, 1 equal\)"):
        bitext_of(source="useless.tsv").pairs()
    with pytest.raises(DataError, match=r"absent\.tsv does not exist"):
        bitext_of(source="absent.tsv")
    with pytest.raises(
        DataError, match=r"is a folder; name a file, two files .*or a folder of a dataset as bitext\.\*\.dataset"
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
    monkeypatch.setitem(builtin._BITEXT, "tiny", write("shipped.tsv", "one\tmoja\n"))
    assert bitext_of(source="builtin:tiny").pairs() == [SentencePair(0, "one", "moja")]
