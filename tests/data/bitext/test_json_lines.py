import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError

RECORDS = '{"en": "one", "sw": " moja ", "x": 1}\n{"en": "two", "sw": null}\n{"sw": "tatu", "en": "three"}\n'


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.gz", "b.JSONL.zst"])
def test_sides_are_found_by_language_and_null_is_an_empty_one(write, bitext_of, texts, name):
    write(name, RECORDS)
    bitext = bitext_of(source=name)
    assert texts(bitext) == [("one", "moja"), ("three", "tatu")]
    assert bitext.selection.dropped["empty"] == 1


def test_columns_name_other_keys_and_translation_holds_them_too(write, bitext_of, texts):
    write("b.jsonl", '{"source": "one", "target": "moja"}\n')
    assert texts(bitext_of(source="b.jsonl", columns=["source", "target"])) == [("one", "moja")]
    assert texts(bitext_of(source="b.jsonl", columns=["target", "source"])) == [("moja", "one")]
    write("b.jsonl", '{"id": 1, "translation": {"en": "one", "sw": "moja"}}\n')
    assert texts(bitext_of(source="b.jsonl")) == [("one", "moja")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "expected a JSON object, found '{'"),
        ("", "expected a JSON object, found ''"),
        ('["one", "moja"]', "expected a JSON object"),
        ('{"en": "one", "swa": "moja"}', "expected a column 'sw', found en, swa; name the column"),
        ('{"en": "one", "sw": ["moja"]}', "expected text in 'sw', found"),
        ('{"en": 1, "sw": "moja"}', "expected text in 'en', found '1'"),
    ],
)
def test_a_line_that_is_no_record_of_both_names_itself(write, bitext_of, line, said):
    path = write("b.jsonl", f"{RECORDS}{line}\n{RECORDS}")
    with pytest.raises(DataError) as caught:
        bitext_of(source="b.jsonl").pairs()
    assert str(caught.value).startswith(f"{path}, line 4: {said}")


def test_the_fingerprint_follows_content_and_keys(write, bitext_of, tmp_path):
    def digest(**settings):
        return bitext_of(source="b.jsonl", **settings).fingerprint(Fingerprints(tmp_path / "memo"))

    write("b.jsonl", RECORDS)
    before = digest()
    assert digest(columns=["en", "sw"]) == before
    assert digest(columns=["sw", "en"]) != before
    write("b.jsonl", RECORDS.replace("tatu", "tato", 1) + "\n")
    assert digest() != before
