"""Collections of the `datasets` library, in the layouts that MTEB reads."""

import json
import os

import pytest
import yaml

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.reading import read_experiment
from optical_cli.data.absent import downloads_off
from optical_cli.data.collections import open_documents, open_judgements, open_topics
from optical_cli.errors import ConfigError, DataError, NotHere

DOCUMENTS = [
    {"_id": "d1", "title": "mashua", "text": "Amina anatengeneza mashua ."},
    {"_id": "q1", "title": "", "text": "Juma ananunua wavu ."},  # called like a topic
    {"_id": "d3", "title": "", "text": "mkulima anauza mahindi ."},
]
TOPICS = [{"_id": "q1", "text": "Amina anatengeneza mashua"}, {"_id": "q2", "text": "Juma ananunua wavu"}]
QRELS = [
    {"query-id": "q1", "corpus-id": "d1", "score": 1},
    {"query-id": "q2", "corpus-id": "q1", "score": 1},
    {"query-id": "q2", "corpus-id": "d3", "score": 0},
]
FIRST = "a" * 40
MIRACL = {"sw-corpus": {"dev": DOCUMENTS}, "sw-queries": {"dev": TOPICS}, "sw-qrels": {"dev": QRELS}}
SCIFACT = {
    "corpus": {"corpus": DOCUMENTS},
    "queries": {"queries": TOPICS},
    "default": {"test": QRELS, "train": QRELS[:1]},
}


def saved_as_parquet(folder, configs):
    """Save as `push_to_hub` does: parquet files, and a README that names the configurations."""
    from datasets import Dataset

    named = []
    for config, splits in configs.items():
        (folder / config).mkdir(parents=True)
        files = []
        for split, records in splits.items():
            path = f"{config}/{split}-00000-of-00001.parquet"
            Dataset.from_list(records).to_parquet(folder / path)
            files.append({"split": split, "path": path})
        named.append({"config_name": config, "data_files": files})
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': named})}---\n")


def saved_to_disk(folder, configs):
    from datasets import Dataset, DatasetDict

    for config, splits in configs.items():
        made = DatasetDict({split: Dataset.from_list(records) for split, records in splits.items()})
        made.save_to_disk(folder / config)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Put a dataset into a cache of the `datasets` library, in the layout of a download."""
    cache = tmp_path / "hub"
    monkeypatch.setenv("HF_DATASETS_CACHE", str(cache))

    def put(configs, name="mteb___miracl_retrieval_hard_negatives", commit=FIRST):
        from datasets import Dataset

        for config, splits in configs.items():
            folder = cache / name / config / "0.0.0" / commit
            folder.mkdir(parents=True, exist_ok=True)
            for split, records in splits.items():
                Dataset.from_list(records).save_to_disk(tmp_path / "saved")
                (tmp_path / "saved" / "data-00000-of-00001.arrow").rename(folder / f"x-{split}.arrow")
            (folder / "dataset_info.json").write_text(json.dumps({"splits": {split: {} for split in splits}}))

    return put


def opened(source, base):
    return open_documents(source, "sw", base), open_topics(source, "sw", base), open_judgements(source, "sw", base)


def is_read(source, base):
    documents, topics, judgements = opened(source, base)
    found = [{"_id": one.doc_id, "title": one.title, "text": one.text} for one in documents.documents()]
    assert found == DOCUMENTS
    assert topics.topics() == {"q1": TOPICS[0]["text"], "q2": TOPICS[1]["text"]}
    assert judgements.judgements() == {"q1": {"d1": 1}, "q2": {"q1": 1, "d3": 0}}


@pytest.mark.parametrize("save", [saved_as_parquet, saved_to_disk])
@pytest.mark.parametrize(("configs", "rest"), [(MIRACL, "#sw:dev"), (MIRACL, "#sw"), (SCIFACT, "#:test")])
def test_a_folder_in_the_layouts_of_mteb_is_a_collection(tmp_path, save, configs, rest):
    save(tmp_path / "data", configs)
    is_read(f"hf:./data{rest}", tmp_path)


def test_the_same_records_have_the_same_fingerprint_however_they_were_saved(tmp_path, hub):
    saved_as_parquet(tmp_path / "parquet", MIRACL)
    saved_to_disk(tmp_path / "disk", MIRACL)
    hub(MIRACL)
    sources = ("hf:./parquet#sw", "hf:./disk#sw", "hf:mteb/MIRACLRetrievalHardNegatives#sw")
    memo = Fingerprints(tmp_path / "memo")
    digests = [tuple(part.fingerprint(memo) for part in opened(source, tmp_path)) for source in sources]
    assert len(set(digests)) == 1
    assert len(set(digests[0])) == 3


def test_a_collection_in_the_cache_of_the_library_needs_no_network(hub, tmp_path):
    hub(MIRACL)
    with downloads_off():
        is_read("hf:mteb/MIRACLRetrievalHardNegatives#sw:dev", tmp_path)
        is_read(f"hf:mteb/MIRACLRetrievalHardNegatives#sw:dev@{FIRST}", tmp_path)
        copy = open_documents("hf:mteb/MIRACLRetrievalHardNegatives#sw", "sw", tmp_path).local_copy()
        assert (copy.revision, copy.downloaded) == (FIRST, True)
        with pytest.raises(NotHere, match=r"mteb/MIRACLRetrievalHardNegatives \(yo-corpus or corpus or yo\) is not in"):
            list(open_documents("hf:mteb/MIRACLRetrievalHardNegatives#yo", "yo", tmp_path).documents())


def test_all_parts_are_of_one_commit(hub, tmp_path):
    hub(MIRACL)
    newer = "b" * 40
    hub({"sw-corpus": {"dev": DOCUMENTS[:1]}}, commit=newer)
    for folder in (tmp_path / "hub").glob(f"*/*/*/{newer}"):
        os.utime(folder, (4e9, 4e9))
    hub({"yo-corpus": MIRACL["sw-corpus"]}, commit="c" * 40)  # of another language
    documents, topics, _ = opened("hf:mteb/MIRACLRetrievalHardNegatives#sw", tmp_path)
    with downloads_off():
        assert len(list(documents.documents())) == 1
        with pytest.raises(NotHere, match=r"\(sw-queries or queries\) is not in"):
            topics.topics()
        is_read(f"hf:mteb/MIRACLRetrievalHardNegatives#sw@{FIRST}", tmp_path)


def test_numbers_are_taken_for_ids(tmp_path):
    saved_to_disk(
        tmp_path / "data",
        {
            "corpus": {"dev": [{"id": 7, "text": "x"}]},
            "qrels": {"dev": [{"query-id": 1, "corpus-id": 7, "score": 1.0}]},
        },
    )
    documents, _, judgements = opened("hf:./data", tmp_path)
    assert [one.doc_id for one in documents.documents()] == ["7"]
    assert judgements.judgements() == {"1": {"7": 1}}


def test_what_is_missing_is_downloaded_by_configuration(hub, tmp_path, monkeypatch):
    asked = []

    def download(_name, config, **settings):
        asked.append((config, settings["split"], settings["revision"]))
        hub({config: MIRACL[config]})

    monkeypatch.setattr("datasets.load_dataset", download)
    monkeypatch.setattr("datasets.get_dataset_config_names", lambda _name, **_: [*MIRACL, "yo-corpus"])
    is_read(f"hf:mteb/MIRACLRetrievalHardNegatives#sw:dev@{FIRST}", tmp_path)
    assert asked == [(config, None, FIRST) for config in MIRACL]


def test_documents_named_by_the_language_alone_are_those_of_miracls_own_corpus(tmp_path):
    records = [{"docid": "7#0", "title": "Lamu", "text": "Mji."}]
    saved_as_parquet(tmp_path / "miracl-corpus", {"sw": {"train": records}, "yo": {"train": records}})
    (document,) = open_documents("hf:./miracl-corpus#sw", "sw", tmp_path).documents()
    assert (document.doc_id, document.title, document.text) == ("7#0", "Lamu", "Mji.")
    with pytest.raises(
        DataError, match=r"expected the configuration sw-queries or queries for topics, found sw, yo; .*"
    ):
        open_topics("hf:./miracl-corpus#sw", "sw", tmp_path).topics()


@pytest.mark.parametrize(
    ("configs", "source", "said"),
    [
        (
            MIRACL,
            "#yo",
            "expected the configuration yo-corpus or corpus or yo for documents, found sw-corpus, sw-qrels",
        ),
        (SCIFACT, "", "expected the name of a split of default, found test, train; set pairs.*.collection.split"),
        (SCIFACT, "#:dev", "expected the split dev of default, found test, train; set pairs.*.collection.split"),
        ({**MIRACL, "sw-corpus": {"dev": [{"name": "d1", "text": "x"}]}}, "#sw", "row 1: expected the column '_id'"),
        ({**MIRACL, "sw-queries": {"dev": [{"_id": "q1"}]}}, "#sw", "row 1: expected the column 'text', found"),
        ({**MIRACL, "sw-qrels": {"dev": [{"query": "q1"}]}}, "#sw", "expected the columns query-id, corpus-id, score"),
        ({**MIRACL, "sw-qrels": {"dev": [{**QRELS[0], "score": float("nan")}]}}, "#sw", "integer score, found 'nan'"),
        ({**MIRACL, "sw-qrels": {"dev": [{**QRELS[0], "score": float("inf")}]}}, "#sw", "integer score, found 'inf'"),
        (
            {**MIRACL, "sw-qrels": {"dev": [{**QRELS[0], "corpus-id": "d 1"}]}},
            "#sw",
            "expected a corpus-id that is text",
        ),
        (
            {**MIRACL, "sw-qrels": {"dev": [{**QRELS[0], "corpus-id": None}]}},
            "#sw",
            "expected a corpus-id that is text",
        ),
        ({**MIRACL, "sw-corpus": {"dev": [{"_id": None, "text": "x"}]}}, "#sw", "expected a _id that is text without"),
        (
            {**MIRACL, "sw-qrels": {"dev": [{**QRELS[0], "score": 0.5}]}},
            "#sw",
            "expected an integer score, found '0.5'",
        ),
    ],
)
def test_a_wrong_layout_is_one_line(tmp_path, configs, source, said):
    saved_to_disk(tmp_path / "data", configs)
    documents, topics, judgements = opened(f"hf:./data{source}", tmp_path)
    with pytest.raises(DataError) as found:
        list(documents.documents()), topics.topics(), judgements.judgements()
    assert said in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.usefixtures("hub")
def test_a_dataset_that_needs_a_login_says_so(tmp_path, monkeypatch):
    from datasets.exceptions import DatasetNotFoundError

    def refuse(*_, **__):
        raise DatasetNotFoundError("Dataset 'owner/closed' is a gated dataset on the Hub. You must be authenticated.")

    monkeypatch.setattr("datasets.get_dataset_config_names", refuse)
    with pytest.raises(DataError, match=r"gated dataset on the Hub.*; check id, .* log in to the hub if it is gated"):
        open_topics("hf:owner/closed#sw", "sw", tmp_path).topics()


@pytest.fixture
def pair(own_lab):
    def read(collection):
        path = own_lab.write(own_lab.settings(pairs={"sw-sw": {"collection": collection}}))
        return read_experiment(path).pairs["sw-sw"]

    return read


def test_a_mapping_in_an_experiment_file_is_the_same_as_the_text(pair):
    whole = {"dataset": "mteb/MIRACLRetrievalHardNegatives", "config": "sw", "split": "dev", "revision": FIRST}
    assert pair(whole).collection == f"hf:mteb/MIRACLRetrievalHardNegatives#sw:dev@{FIRST}"
    assert pair({"dataset": "mteb/scifact", "split": "test"}).collection == "hf:mteb/scifact#:test"
    assert pair({"dataset": "mteb/scifact"}).collection == "hf:mteb/scifact"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"config": "sw"}, "dataset: expected a text, found None"),
        ({"dataset": "a/b", "lang": "sw"}, "lang: unknown key; expected dataset, config, split, revision"),
        ({"dataset": "a/b", "split": 3}, "split: expected a text, found 3"),
    ],
)
def test_another_mapping_is_refused_in_one_line(pair, wrong, said):
    with pytest.raises(ConfigError) as found:
        pair(wrong)
    assert str(found.value).endswith(f"pairs.sw-sw.collection.{said}")


def test_a_cell_runs_offline_on_a_collection_of_the_hub(hub, own_lab, optical, tmp_path):
    hub(MIRACL)
    collection = {"dataset": "mteb/MIRACLRetrievalHardNegatives", "config": "sw", "split": "dev", "revision": FIRST}
    settings = own_lab.settings(pairs={"sw-sw": {"collection": collection}}, baselines=["none", "bm25"])
    path, cache = own_lab.write(settings), ("--cache-dir", tmp_path / "cache")
    planned = optical("plan", path, "--offline", *cache)
    assert planned.code == 0
    assert "warning: pairs.sw-sw.corpus: hf:mteb/MIRACLRetrievalHardNegatives#sw" in planned.err
    settings["pairs"]["sw-sw"]["corpus"] = "hard_negatives"
    assert "pairs.sw-sw.corpus" not in optical("plan", own_lab.write(settings), "--offline", *cache).err
    done = optical("evaluate", path, "--objective", "none", "--offline", *cache, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["means"]["recall@100"] == 1.0
    (run,) = (tmp_path / "cache" / "runs").glob("*/run.trec")
    assert " sw-sw-hardnegatives-none" in run.read_text()  # in the tag
    fetched = json.loads(optical("fetch", path, *cache, "--json").out)
    assert {one["state"] for one in fetched} == {"here"}
