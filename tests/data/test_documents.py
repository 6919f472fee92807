import hashlib

import pytest

from optical_cli.data.documents import Document, fill, fills_blank, pooled_ids, read_documents
from optical_cli.errors import DataError

GOOD = '{"doc_id": "d1", "title": "T", "text": "x", "url": 5}\n'


def test_other_keys_are_ignored_and_the_title_is_optional(write):
    path = write("docs.jsonl", GOOD + '{"doc_id": "d2", "text": "y"}\n{"doc_id": "d3", "title": null, "text": "z"}\n')
    assert list(read_documents(path)) == [
        Document("d1", "T", "x"),
        Document("d2", "", "y"),
        Document("d3", "", "z"),
    ]


def test_a_document_may_have_a_title_only(write):
    path = write("docs.jsonl", '{"doc_id": "d", "title": "T", "text": ""}')
    assert list(read_documents(path)) == [Document("d", "T", "")]


def test_documents_are_streamed(write):
    stream = read_documents(write("docs.jsonl", GOOD + "broken"))
    assert next(stream).doc_id == "d1"
    with pytest.raises(DataError):
        next(stream)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{oops", "expected a JSON object, found '{oops'"),
        ('["d2"]', "expected a JSON object"),
        ('{"name": "d2", "text": "x"}', "expected the key 'doc_id' or '_id', found the keys 'name, text'"),
        ('{"doc_id": "d2"}', "expected the key 'text'"),
        ('{"doc_id": 2, "text": "x"}', "expected a doc_id that is text"),
        ('{"doc_id": "d 2", "text": "x"}', "without white space, found 'd 2'"),
        ('{"doc_id": "d2", "text": 7}', "expected text in 'text', found '7'"),
        ('{"doc_id": "d2", "text": "a \\ud800 b"}', "half a surrogate pair at position 3"),
        ('{"doc_id": "d\\ud800", "text": "b"}', "expected a doc_id that is text without white space"),
        ('{"doc_id": "d2", "title": " ", "text": "\\n"}', "document 'd2' with both blank"),
        ('{"doc_id": "d1", "text": "x"}', "expected a new doc_id, found 'd1' a second time"),
        ("", "expected a JSON object, found ''"),
    ],
)
def test_a_fault_names_file_line_expected_and_found(write, line, said):
    path = write("docs.jsonl", GOOD + line + "\n" + '{"doc_id": "d9", "text": "x"}\n')
    with pytest.raises(DataError) as caught:
        list(read_documents(path))
    message = str(caught.value)
    assert message.startswith(f"{path}, line 2: ")
    assert said in message
    assert "\n" not in message


def test_the_found_text_is_shortened(write):
    with pytest.raises(DataError) as caught:
        list(read_documents(write("docs.jsonl", "x" * 5000)))
    assert len(str(caught.value)) < 400


def test_a_file_without_documents_is_refused(write):
    with pytest.raises(DataError, match="has no documents"):
        list(read_documents(write("docs.jsonl", "\n\n")))


def test_braces_in_a_text_are_not_filled():
    document = Document("d", "{text}", "a {title} b")
    assert fill("{title}: {text}", document) == "{text}: a {title} b"
    assert fill("{title} {text}", Document("d", "", "alone")) == "alone"


IDS = [f"d{number}" for number in range(200)]


def test_the_pool_is_the_judged_documents_and_those_with_the_smallest_digests():
    others = sorted(set(IDS) - {"d3"}, key=lambda i: hashlib.sha256(f"13:{i}".encode()).hexdigest())
    pool = pooled_ids(iter(IDS), {"d3", "gone"}, extra=20, seed=13)
    assert pool == {"d3", *others[:20]}


def test_the_pool_depends_on_the_seed_and_not_on_the_order():
    pool = pooled_ids(IDS, {"d3"}, extra=20, seed=13)
    assert pooled_ids(reversed(IDS), {"d3"}, extra=20, seed=13) == pool
    assert pooled_ids(IDS, {"d3"}, extra=20, seed=14) != pool
    assert pool < pooled_ids(IDS, {"d3"}, extra=21, seed=13)


@pytest.mark.parametrize(("extra", "size"), [(0, 1), (1000, 200)])
def test_the_pool_may_have_none_or_all_of_the_other_documents(extra, size):
    pool = pooled_ids(IDS, {"d3"}, extra=extra, seed=13)
    assert len(pool) == size
    assert "d3" in pool


def test_a_document_of_invisible_characters_is_blank(write):
    with pytest.raises(DataError, match=r"line 1: expected a title or a text, found document 'd' with both blank"):
        list(read_documents(write("docs.jsonl", r'{"doc_id": "d", "title": "\u200b", "text": "\ufeff \u00ad"}')))


def test_a_template_takes_nothing_from_a_document_if_the_fields_it_names_are_blank():
    titled = Document("d", "T", "\u200b")
    assert fills_blank("passage: {text}", titled)
    assert not fills_blank("{title} {text}", titled)
