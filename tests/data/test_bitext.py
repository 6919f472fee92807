import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data import builtin
from optical_cli.data.bitext import SentencePair, open_bitext
from optical_cli.errors import DataError


@pytest.mark.parametrize("name", ["b.tsv", "b.tsv.gz"])
def test_rows_keep_their_numbers_when_duplicates_are_dropped_and_counted(write, tmp_path, name):
    write(name, "\ufeffone\tmoja\r\ntwo\tmbili\r\none\tmoja\r\none\tmosi\r\n\r\n")
    bitext = open_bitext(name, tmp_path)
    assert bitext.pairs() == [
        SentencePair(0, "one", "moja"),
        SentencePair(1, "two", "mbili"),
        SentencePair(3, "one", "mosi"),
    ]
    assert (bitext.rows, bitext.duplicates) == (4, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("two", "expected a sentence TAB its translation, found 'two'"),
        ("two\t ", r"found 'two\t '"),
        ("\tmbili", r"found '\tmbili'"),
        ("", "found ''"),
        ("two\tmbili\t0.9", "expected two columns, sentence TAB translation, found 3 columns"),
    ],
)
def test_a_line_without_its_translation_or_with_more_is_refused(write, tmp_path, line, said):
    path = write("b.tsv", f"one\tmoja\n{line}\nthree\ttatu\n")
    with pytest.raises(DataError) as caught:
        open_bitext("b.tsv", tmp_path).pairs()
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


def test_two_files_are_read_line_by_line(write, tmp_path):
    write("x.en", "one\ntwo\n")
    write("x.sw.gz", "moja\r\nmbili\r\n\r\n")
    bitext = open_bitext(("x.en", "x.sw.gz"), tmp_path)
    assert bitext.pairs() == [SentencePair(0, "one", "moja"), SentencePair(1, "two", "mbili")]
    assert bitext.name == "x.en + x.sw.gz"


def test_two_files_of_different_length_say_both_counts(write, tmp_path):
    write("x.en", "one\ntwo\nthree\n")
    write("x.sw", "moja\nmbili\n")
    with pytest.raises(DataError, match=r"x\.en has 3 lines and .*x\.sw has 2;"):
        open_bitext(("x.en", "x.sw"), tmp_path).pairs()


def test_a_blank_line_between_names_its_file(write, tmp_path):
    write("x.en", "one\ntwo\nthree\n")
    write("x.sw", "moja\n\ntatu\n")
    with pytest.raises(DataError, match=r"x\.sw, line 2: expected a sentence"):
        open_bitext(("x.en", "x.sw"), tmp_path).pairs()


def test_sources_that_hold_nothing_are_refused(write, tmp_path):
    write("empty.tsv", "\n")
    with pytest.raises(DataError, match="holds no sentence pair"):
        open_bitext("empty.tsv", tmp_path).pairs()
    with pytest.raises(DataError, match=r"absent\.tsv does not exist"):
        open_bitext("absent.tsv", tmp_path)
    with pytest.raises(DataError, match="is a folder; name a TSV file"):
        open_bitext(".", tmp_path)


def test_the_fingerprint_follows_content_and_order_of_the_files(write, tmp_path):
    write("x.en", "one\n")
    write("x.sw", "moja\n")
    write("y.en", "one\n")

    def digest(*names):
        return open_bitext(names, tmp_path).fingerprint(Fingerprints(tmp_path / "memo"))

    assert digest("x.en", "x.sw") == digest("y.en", "x.sw")
    assert digest("x.en", "x.sw") != digest("x.sw", "x.en")
    before = digest("x.en", "x.sw")
    write("x.sw", "mosi\n1")
    assert digest("x.en", "x.sw") != before


def test_builtin_is_the_packaged_file(write, tmp_path, monkeypatch):
    monkeypatch.setitem(builtin._BITEXT, "tiny", write("shipped.tsv", "one\tmoja\n"))
    assert open_bitext("builtin:tiny", tmp_path).pairs() == [SentencePair(0, "one", "moja")]
