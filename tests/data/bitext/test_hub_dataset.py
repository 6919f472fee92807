import os

import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError

FIRST, SECOND = "a" * 40, "b" * 40
PAIRS = [("one", "moja"), ("two", "mbili"), ("three", "tatu")]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Put a dataset into a cache of the datasets library, as the library leaves it there after a download."""
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
    cached(PAIRS, shards=shards)
    assert texts(bitext_of(dataset="masakhane/TalkCorpus")) == PAIRS


def test_configs_are_chosen_by_name_and_the_only_one_needs_none(cached, bitext_of, texts):
    cached(PAIRS, config="en-sw")
    assert texts(bitext_of(dataset="masakhane/TalkCorpus")) == PAIRS
    cached(PAIRS[:1], config="en-sw.clean")
    assert texts(bitext_of(dataset="masakhane/TalkCorpus", config="en-sw.clean")) == PAIRS[:1]
    with pytest.raises(DataError, match=r"expected the name of a config, for there are en-sw, en-sw\.clean; set"):
        bitext_of(dataset="masakhane/TalkCorpus").pairs()


def test_the_newest_commit_counts_unless_one_is_named(cached, bitext_of, texts, tmp_path):
    cached(PAIRS, commit=FIRST, age=100)
    first = bitext_of(dataset="masakhane/TalkCorpus").fingerprint(Fingerprints(tmp_path / "memo"))
    cached(PAIRS[:2], commit=SECOND)
    newest = bitext_of(dataset="masakhane/TalkCorpus")
    assert texts(newest) == PAIRS[:2]
    assert newest.fingerprint(Fingerprints(tmp_path / "memo")) != first
    named = bitext_of(dataset="masakhane/TalkCorpus", revision=FIRST)
    assert texts(named) == PAIRS
    assert named.fingerprint(Fingerprints(tmp_path / "other memo")) == first


def test_a_split_that_is_not_there_is_told_with_those_that_are(cached, bitext_of):
    cached(PAIRS, split="validation")
    with pytest.raises(DataError, match="expected a split train, found validation; name one of them"):
        bitext_of(dataset="masakhane/TalkCorpus").pairs()


def test_what_is_not_in_the_cache_is_downloaded_into_it_once(cached, bitext_of, texts, tmp_path, monkeypatch):
    asked = []

    def download(*names, **settings):
        asked.append((names, settings))
        cached(PAIRS, config="en-sw", commit=SECOND)

    monkeypatch.setattr("datasets.load_dataset", download)
    settings = {"dataset": "masakhane/TalkCorpus", "config": "en-sw", "revision": SECOND}
    for _ in range(2):
        assert texts(bitext_of(**settings)) == PAIRS
    cache = str(tmp_path / "hub")
    assert asked == [(("masakhane/TalkCorpus", "en-sw"), {"split": "train", "revision": SECOND, "cache_dir": cache})]
    with pytest.raises(DataError, match=f"expected commit {FIRST} in .*, and the hub gave another"):
        bitext_of(**settings | {"revision": FIRST}).pairs()


@pytest.mark.parametrize("settings", [{"dataset": "masakhane/absent"}, {"dataset": "masakhane/x", "revision": SECOND}])
@pytest.mark.usefixtures("cached")
def test_what_is_not_in_the_cache_and_cannot_be_had_is_one_line(bitext_of, settings):
    with pytest.raises(DataError, match=r"^masakhane/\w+ cannot be read as a dataset .*check id, config") as caught:
        bitext_of(**settings).pairs()
    assert "\n" not in str(caught.value)


def test_what_is_neither_folder_nor_id_is_refused_at_once(bitext_of):
    with pytest.raises(DataError, match=r"data/en sw is neither a folder here nor a Hugging Face id"):
        bitext_of(dataset="data/en sw")
