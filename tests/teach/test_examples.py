import gzip
import json

import pytest

from optical_cli.errors import DataError
from optical_cli.teach.examples import Example, read_examples, with_negatives


@pytest.fixture
def written(tmp_path):
    def write(*lines, name="data"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def texts(examples):
    return [(example.query, example.positive, example.negatives) for example in examples]


def test_jsonl_and_tsv_read_alike(written):
    rows = [("who mends", "Amina mends", ("Juma buys", "Juma sells")), ("who buys", "Juma buys", ())]
    fields = [{"query": q, "positive": p, "negatives": list(n)} for q, p, n in rows]
    as_json = written(*map(json.dumps, fields), name="a.jsonl")
    as_tsv = written(*("\t".join((q, p, *n)) for q, p, n in rows), name="a.tsv")
    assert texts(read_examples(as_json)) == texts(read_examples(as_tsv)) == rows


def test_negatives_may_be_missing_and_the_file_gzipped(tmp_path):
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"query": "q", "positive": " p "}\n'))
    assert texts(read_examples(path)) == [("q", "p", ())]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"query": "q", "positive": "p"', "expected a JSON object"),
        ('{"query": "q"}', "expected query, positive and, optionally, negatives, found 'query'"),
        ('{"query": "q", "positive": "p", "negative": "n"}', "found 'query, positive, negative'"),
        ('{"query": "q", "positive": "p", "negatives": "n"}', "expected a list of negatives, found 'n'"),
        ('{"query": "q", "positive": "  "}', "expected a text, found '  '"),
        ('{"query": 3, "positive": "p"}', "expected a text, found '3'"),
        (r'{"query": " q\ud800", "positive": "p"}', "in 'query', found half a surrogate pair at position 3"),
        (r'{"query": "q", "positive": "p", "negatives": ["n\udc00"]}', "in 'negatives', found half a surrogate pair"),
        ('{"query": "q", "positive": "p", "negatives": ["p"]}', "expected different passages, found duplicates"),
        ('["q", "p"]', "expected a JSON object"),
    ],
)
def test_a_faulty_line_of_jsonl_is_named(written, line, fault):
    path = written('{"query": "q", "positive": "p"}', line)
    with pytest.raises(DataError) as caught:
        read_examples(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("line", "fault"),
    [("alone", "expected query TAB positive TAB negative…, found 'alone'"), ("q\tp\t", "expected a text, found ''")],
)
def test_a_faulty_line_of_a_tsv_is_named(written, line, fault):
    path = written("q\tp", line)
    with pytest.raises(DataError, match=f"line 2: .*{fault}"):
        read_examples(path)


def test_a_file_without_examples_and_a_folder_are_refused(written, tmp_path):
    with pytest.raises(DataError, match="is empty; a query"):
        read_examples(written(""))
    with pytest.raises(DataError, match="is a folder"):
        read_examples(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_examples(tmp_path / "absent.tsv")


def test_every_example_gets_the_smallest_number_of_negatives(written):
    examples = read_examples(written("q\tp\ta\tb\tc", "r\ts\ta"))
    kept, left_out = with_negatives(examples, None)
    assert [example.negatives for example in kept] == [("a",), ("a",)]
    assert left_out == 2


def test_more_negatives_than_an_example_has_are_refused_with_its_line(written):
    path = written("q\tp\ta\tb", "r\ts\ta")
    with pytest.raises(DataError) as caught:
        with_negatives(read_examples(path), 2)
    assert str(caught.value).startswith(f"{path}, line 2: 2 negatives expected (--negatives), found 1")
    with pytest.raises(DataError, match="'r': 2 negatives expected"):
        with_negatives([Example("r", "s", ("a",))], 2)


@pytest.mark.parametrize("header", ["query\tpositive", "Query\tpassage\tnegative", "\ufeffquery\tpositive\tnegative"])
def test_a_header_is_no_example(written, header):
    with pytest.raises(DataError, match=r"line 1: expected an example, found the header .*; remove the line"):
        read_examples(written(header, "who mends\tAmina mends"))


def test_invisible_characters_are_no_example(written):
    with pytest.raises(DataError, match="line 1: expected a text"):
        read_examples(written("who mends\t\u200b\u200b"))
