import json

import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError

RECORDS = [
    {"en": "one", "sw": "moja", "id": 1},
    {"en": "two", "sw": None, "id": 2},
    {"en": "three", "sw": "tatu", "id": 3},
]
PAIRS = [("one", "moja"), ("three", "tatu")]


def jsonl(records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def folder(write, tmp_path):
    """A folder with a training and a test file."""
    write("data/train.jsonl", jsonl(RECORDS))
    write("data/test.jsonl", jsonl(RECORDS[:1]))
    return tmp_path / "data"


def test_a_folder_of_jsonl_has_splits(folder, bitext_of, texts):
    bitext = bitext_of(dataset="./data")
    assert texts(bitext) == PAIRS
    assert [(reason, str(row.place)) for reason, row in bitext.selection.sample] == [
        ("empty", f"{folder} (train), row 2")
    ]
    assert texts(bitext_of(dataset="data", split="test")) == PAIRS[:1]


@pytest.mark.usefixtures("folder")
def test_parquet_and_what_save_to_disk_left_are_the_same_rows(bitext_of, texts, tmp_path):
    from datasets import Dataset, DatasetDict

    dataset = Dataset.from_list([{"translation": record} for record in RECORDS])
    (tmp_path / "parquet").mkdir()
    dataset.to_parquet(tmp_path / "parquet" / "train-00000-of-00001.parquet")
    dataset.save_to_disk(tmp_path / "saved")
    DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "both")
    for name in ("parquet", "saved", "both"):
        assert texts(bitext_of(dataset=f"./{name}")) == PAIRS, name
    assert texts(bitext_of(dataset="./both", split="test")) == PAIRS[:1]

    def digest(**settings):
        return bitext_of(**settings).fingerprint(Fingerprints(tmp_path / "memo"))

    assert len({digest(dataset=f"./{name}") for name in ("data", "parquet", "saved", "both")}) == 1
    assert digest(dataset="./both", split="test") != digest(dataset="./both")
    assert digest(dataset="./data", columns=["sw", "en"]) != digest(dataset="./data")


def test_the_fingerprint_follows_the_rows_and_is_remembered(folder, bitext_of, tmp_path, monkeypatch):
    memo = Fingerprints(tmp_path / "memo")
    before = bitext_of(dataset="./data").fingerprint(memo)
    monkeypatch.setattr("optical_cli.data.bitext.dataset_folder.rows_of", None)  # so that reading again would fail
    assert bitext_of(dataset="./data").fingerprint(Fingerprints(tmp_path / "memo")) == before
    monkeypatch.undo()
    (folder / "train.jsonl").write_text(jsonl(RECORDS[1:]))
    assert bitext_of(dataset="./data").fingerprint(Fingerprints(tmp_path / "memo")) != before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dataset": "./data", "split": "dev"}, "data cannot be read as a dataset .*dev"),
        ({"dataset": "./data", "config": "en-sw"}, "data cannot be read as a dataset .*en-sw"),
        ({"dataset": "./data", "columns": ["en", "yo"]}, r"row 1: expected a column 'yo', found en, sw, id; name the"),
        ({"dataset": "./data", "columns": ["en", "id"]}, r"row 1: expected text in 'id', found '1'"),
        ({"dataset": "./absent"}, "absent is no folder; name that of a dataset or a Hugging Face id, or a file"),
        ({"dataset": "./data", "revision": "0" * 40}, "data is a folder, which has no revision"),
        ({"dataset": "./empty"}, "empty cannot be read as a dataset"),
    ],
)
def test_what_the_folder_does_not_hold_is_one_line(folder, bitext_of, settings, said):
    (folder.parent / "empty").mkdir()
    with pytest.raises(DataError, match=said) as caught:
        bitext_of(**settings).pairs()
    assert "\n" not in str(caught.value)


def test_a_broken_file_is_one_line(write, bitext_of):
    write("data/train.parquet", "PAR1 this is none")
    with pytest.raises(DataError, match="data cannot be read as a dataset") as caught:
        bitext_of(dataset="./data").pairs()
    assert "\n" not in str(caught.value)
