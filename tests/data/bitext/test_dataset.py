import json
import os

import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError

RECORDS = [
    {"en": "one", "sw": "moja", "id": 1},
    {"en": "two", "sw": None, "id": 2},
    {"en": "three", "sw": "tatu", "id": 3},
]
FOLDER_PAIRS = [("one", "moja"), ("three", "tatu")]


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
    assert texts(bitext) == FOLDER_PAIRS
    assert [(reason, str(row.place)) for reason, row in bitext.selection.sample] == [
        ("empty", f"{folder} (train), row 2")
    ]
    assert texts(bitext_of(dataset="data", split="test")) == FOLDER_PAIRS[:1]


@pytest.mark.usefixtures("folder")
def test_parquet_and_save_to_disk_give_the_same_rows(bitext_of, texts, tmp_path):
    from datasets import Dataset, DatasetDict

    dataset = Dataset.from_list([{"translation": record} for record in RECORDS])
    (tmp_path / "parquet").mkdir()
    dataset.to_parquet(tmp_path / "parquet" / "train-00000-of-00001.parquet")
    dataset.save_to_disk(tmp_path / "saved")
    DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "both")
    for name in ("parquet", "saved", "both"):
        assert texts(bitext_of(dataset=f"./{name}")) == FOLDER_PAIRS, name
    assert texts(bitext_of(dataset="./both", split="test")) == FOLDER_PAIRS[:1]

    def digest(**settings):
        return bitext_of(**settings).fingerprint(Fingerprints(tmp_path / "memo"))

    assert len({digest(dataset=f"./{name}") for name in ("data", "parquet", "saved", "both")}) == 1
    assert digest(dataset="./both", split="test") != digest(dataset="./both")
    assert digest(dataset="./data", columns=["sw", "en"]) != digest(dataset="./data")


def test_the_fingerprint_follows_the_rows_and_is_remembered(folder, bitext_of, tmp_path, monkeypatch):
    memo = Fingerprints(tmp_path / "memo")
    before = bitext_of(dataset="./data").fingerprint(memo)
    monkeypatch.setattr("optical_cli.data.bitext.dataset.row_of", None)  # makes reading again fail
    assert bitext_of(dataset="./data").fingerprint(Fingerprints(tmp_path / "memo")) == before
    monkeypatch.undo()
    (folder / "train.jsonl").write_text(jsonl(RECORDS[1:]))
    assert bitext_of(dataset="./data").fingerprint(Fingerprints(tmp_path / "memo")) != before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dataset": "./data", "split": "dev"}, "data cannot be read as a dataset .*dev"),
        ({"dataset": "./data", "config": "en-sw"}, "data cannot be read as a dataset .*en-sw"),
        (
            {"dataset": "./data", "columns": ["en", "yo"]},
            r"row 1: expected a column 'yo', found en, sw, id; set `columns`",
        ),
        ({"dataset": "./data", "columns": ["en", "id"]}, r"row 1: expected text in 'id', found '1'"),
        ({"dataset": "./absent"}, "absent is not a folder; name the folder of a dataset or a Hugging Face id"),
        ({"dataset": "./data", "revision": "0" * 40}, "data is a folder, which has no revision"),
        ({"dataset": "./empty"}, "empty cannot be read as a dataset"),
    ],
)
def test_settings_that_a_folder_cannot_satisfy_are_refused_in_one_line(folder, bitext_of, settings, said):
    (folder.parent / "empty").mkdir()
    with pytest.raises(DataError, match=said) as caught:
        bitext_of(**settings).pairs()
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused_in_one_line(write, bitext_of):
    write("data/train.parquet", "PAR1 this is none")
    with pytest.raises(DataError, match="data cannot be read as a dataset") as caught:
        bitext_of(dataset="./data").pairs()
    assert "\n" not in str(caught.value)


FIRST, SECOND = "a" * 40, "b" * 40
HUB_PAIRS = [("one", "moja"), ("two", "mbili"), ("three", "tatu")]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Put a dataset into a cache of the `datasets` library, in the layout of a download."""
    cache = tmp_path / "hub"
    monkeypatch.setenv("HF_DATASETS_CACHE", str(cache))

    def put(pairs, config="default", commit=FIRST, split="train", shards=1, age=0):
        from datasets import Dataset

        folder = cache / "masakhane___talk_corpus" / config / "0.0.0" / commit
        dataset = Dataset.from_list([{"translation": {"en": en, "sw": sw}} for en, sw in pairs])
        folder.mkdir(parents=True, exist_ok=True)
        for shard in range(shards):
            part = f"-{shard:05}-of-{shards:05}" if shards > 1 else ""
            saved = tmp_path / "saved"
            dataset.shard(shards, shard, contiguous=True).save_to_disk(saved)
            (saved / "data-00000-of-00001.arrow").rename(folder / f"talk_corpus-{split}{part}.arrow")
        (folder / "dataset_info.json").write_text(f'{{"config_name": "{config}", "splits": {{"{split}": {{}}}}}}')
        os.utime(folder, (1e9 - age, 1e9 - age))

    return put


@pytest.mark.parametrize("shards", [1, 2])
def test_a_dataset_in_the_cache_is_read_without_a_network(cached, bitext_of, texts, shards):
    cached(HUB_PAIRS, shards=shards)
    assert texts(bitext_of(dataset="masakhane/TalkCorpus")) == HUB_PAIRS


def test_a_config_is_chosen_by_name_and_may_be_omitted_if_there_is_one(cached, bitext_of, texts):
    cached(HUB_PAIRS, config="en-sw")
    assert texts(bitext_of(dataset="masakhane/TalkCorpus")) == HUB_PAIRS
    cached(HUB_PAIRS[:1], config="en-sw.clean")
    assert texts(bitext_of(dataset="masakhane/TalkCorpus", config="en-sw.clean")) == HUB_PAIRS[:1]
    with pytest.raises(DataError, match=r"expected the name of a config, one of en-sw, en-sw\.clean; set"):
        bitext_of(dataset="masakhane/TalkCorpus").pairs()


def test_the_newest_commit_is_read_unless_a_revision_is_set(cached, bitext_of, texts, tmp_path):
    cached(HUB_PAIRS, commit=FIRST, age=100)
    first = bitext_of(dataset="masakhane/TalkCorpus").fingerprint(Fingerprints(tmp_path / "memo"))
    cached(HUB_PAIRS[:2], commit=SECOND)
    newest = bitext_of(dataset="masakhane/TalkCorpus")
    assert texts(newest) == HUB_PAIRS[:2]
    assert newest.fingerprint(Fingerprints(tmp_path / "memo")) != first
    named = bitext_of(dataset="masakhane/TalkCorpus", revision=FIRST)
    assert texts(named) == HUB_PAIRS
    assert named.fingerprint(Fingerprints(tmp_path / "other memo")) == first


def test_an_unknown_split_is_refused_with_the_known_ones(cached, bitext_of):
    cached(HUB_PAIRS, split="validation")
    with pytest.raises(DataError, match="expected the split train, found validation; set"):
        bitext_of(dataset="masakhane/TalkCorpus").pairs()


def test_a_missing_dataset_is_downloaded_once(cached, bitext_of, texts, tmp_path, monkeypatch):
    asked = []

    def download(*names, **settings):
        asked.append((names, settings))
        cached(HUB_PAIRS, config="en-sw", commit=SECOND)

    monkeypatch.setattr("datasets.load_dataset", download)
    settings = {"dataset": "masakhane/TalkCorpus", "config": "en-sw", "revision": SECOND}
    for _ in range(2):
        assert texts(bitext_of(**settings)) == HUB_PAIRS
    cache = str(tmp_path / "hub")
    assert asked == [(("masakhane/TalkCorpus", "en-sw"), {"split": "train", "revision": SECOND, "cache_dir": cache})]
    with pytest.raises(DataError, match=f"expected commit {FIRST} in .*, but the hub sent another"):
        bitext_of(**settings | {"revision": FIRST}).pairs()


@pytest.mark.parametrize("settings", [{"dataset": "masakhane/absent"}, {"dataset": "masakhane/x", "revision": SECOND}])
@pytest.mark.usefixtures("cached")
def test_a_failed_download_of_a_dataset_is_reported_in_one_line(bitext_of, settings):
    with pytest.raises(DataError, match=r"^masakhane/\w+ cannot be read as a dataset .*check id, config") as caught:
        bitext_of(**settings).pairs()
    assert "\n" not in str(caught.value)


def test_a_dataset_that_is_neither_folder_nor_id_is_refused(bitext_of):
    with pytest.raises(DataError, match=r"data/en sw is neither a folder on this machine nor a Hugging Face id"):
        bitext_of(dataset="data/en sw")


def test_a_split_of_save_to_disk_is_found_or_refused(bitext_of, texts, tmp_path):
    from datasets import Dataset, DatasetDict, NamedSplit

    dataset = Dataset.from_list([{"translation": record} for record in RECORDS])
    DatasetDict(train=dataset, test=dataset).save_to_disk(tmp_path / "both")
    with pytest.raises(DataError, match=r"both: expected the split dev, found train, test; set bitext\.\*\.split$"):
        texts(bitext_of(dataset="./both", split="dev"))
    dataset.save_to_disk(tmp_path / "one")
    with pytest.raises(DataError, match=r"one is one dataset without splits, and bitext\.\*\.split is test; remove"):
        texts(bitext_of(dataset="./one", split="test"))
    assert texts(bitext_of(dataset="./one", split="train")) == FOLDER_PAIRS
    Dataset.from_list(dataset.to_list(), split=NamedSplit("test")).save_to_disk(tmp_path / "named")
    assert texts(bitext_of(dataset="./named", split="test")) == FOLDER_PAIRS
