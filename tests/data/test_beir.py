"""Folders of BEIR as collections: corpus.jsonl, queries.jsonl, and qrels/SPLIT.tsv with a header."""

import gzip
import json

import pytest

from optical_cli.data.collections import open_documents, open_judgements, open_topics
from optical_cli.errors import DataError

DOCUMENTS = [("d1", "The boat", "Amina mends the boat ."), ("q1", "", "Juma buys the net ."), ("d3", "", "maize .")]
TOPICS = [("q1", "Amina mends the boat"), ("q2", "Juma buys the net")]
QRELS = {"test": [("q1", "d1", 1), ("q2", "q1", 2), ("q2", "d3", 0)], "dev": [("q1", "d3", 1)]}


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def judged(rows, header="query-id\tcorpus-id\tscore\n"):
    return header + "".join(f"{query}\t{doc}\t{grade}\n" for query, doc, grade in rows)


@pytest.fixture
def folder(tmp_path):
    """A folder as BEIR's zip files have it."""
    root = tmp_path / "scifact"
    (root / "qrels").mkdir(parents=True)
    corpus = [{"_id": doc_id, "title": title, "text": text, "metadata": {}} for doc_id, title, text in DOCUMENTS]
    (root / "corpus.jsonl").write_text(lines(corpus))
    (root / "queries.jsonl").write_text(lines({"_id": name, "text": text, "metadata": {}} for name, text in TOPICS))
    for split, rows in QRELS.items():
        (root / "qrels" / f"{split}.tsv").write_text(judged(rows))
    return root


def opened(source, base):
    return open_documents(source, "en", base), open_topics(source, "en", base), open_judgements(source, "en", base)


def test_a_folder_is_read_with_the_judgements_of_a_split(folder):
    documents, topics, judgements = opened("scifact#test", folder.parent)
    # a document whose id is that of a topic stays: leaving such out has put wrong figures of MIRACL into print
    assert [(one.doc_id, one.title, one.text) for one in documents.documents()] == DOCUMENTS
    assert topics.topics() == dict(TOPICS)
    assert judgements.judgements() == {"q1": {"d1": 1}, "q2": {"q1": 2, "d3": 0}}
    assert opened("./scifact#dev", folder.parent)[2].judgements() == {"q1": {"d3": 1}}


@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_packed_files_are_read_too(folder, packed):
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    pack = {"gz": gzip.compress, "zst": zstd.compress}[packed]
    for path in [*folder.glob("*.jsonl"), *folder.glob("qrels/*.tsv")]:
        path.with_name(f"{path.name}.{packed}").write_bytes(pack(path.read_bytes()))
        path.unlink()
    documents, topics, judgements = opened("scifact#test", folder.parent)
    assert len(list(documents.documents())) == 3
    assert topics.topics() == dict(TOPICS)
    assert judgements.judgements()["q2"] == {"q1": 2, "d3": 0}


@pytest.fixture
def parquet(folder):
    """The same collection as parquet files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in folder.glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        table = pa.Table.from_pylist([{name: one[name] for name in one if name != "metadata"} for one in records])
        pq.write_table(table, path.with_suffix(".parquet"))
        path.unlink()
    for split, rows in QRELS.items():
        names = ("query-id", "corpus-id", "score")
        pq.write_table(
            pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows]),
            folder / "qrels" / f"{split}.parquet",
        )
        (folder / "qrels" / f"{split}.tsv").unlink()
    return folder


def test_a_folder_of_parquet_is_read_too(parquet):
    documents, topics, judgements = opened("scifact#test", parquet.parent)
    assert [(one.doc_id, one.title, one.text) for one in documents.documents()] == DOCUMENTS
    assert documents.count() == 3
    assert topics.topics() == dict(TOPICS)
    assert judgements.judgements() == {"q1": {"d1": 1}, "q2": {"q1": 2, "d3": 0}}


def test_parquet_that_is_cut_off_or_has_other_columns_is_one_line(parquet):
    for name in ("corpus.parquet", "queries.parquet", "qrels/test.parquet"):
        whole = (parquet / name).read_bytes()
        (parquet / name).write_bytes(whole[: len(whole) // 2])
        documents, topics, judgements = opened("scifact#test", parquet.parent)
        with pytest.raises(DataError) as found:
            list(documents.documents()), topics.topics(), judgements.judgements()
        assert str(found.value).startswith(f"{parquet / name} cannot be read as parquet (")
        assert "\n" not in str(found.value)
        (parquet / name).write_bytes(whole)
    (parquet / "queries.parquet").write_bytes((parquet / "qrels" / "test.parquet").read_bytes())
    with pytest.raises(DataError, match=r"queries\.parquet, row 1: expected the key 'query_id' or '_id', found"):
        open_topics("scifact", "en", parquet.parent).topics()


def test_the_only_split_needs_no_name(folder):
    (folder / "qrels" / "dev.tsv").unlink()
    assert len(open_judgements("scifact", "en", folder.parent).judgements()) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "scifact",
            "qrels: expected one file SPLIT.tsv, found dev.tsv, test.tsv; name one of them behind the folder: "
            "scifact#dev",
        ),
        ("scifact#train", "qrels: expected train.tsv, found dev.tsv, test.tsv; name one of them behind the folder"),
    ],
)
def test_a_split_that_is_not_there_is_answered_with_those_that_are(folder, source, said):
    with pytest.raises(DataError) as found:
        open_judgements(source, "en", folder.parent)
    assert said in str(found.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "qrels/test.tsv",
            judged(QRELS["test"], header=""),
            "line 1: expected 4 columns, query_id 0 doc_id grade, found 3 in 'q1\\td1\\t1'; rewrite it as a TREC qrels "
            "file, without a header, or begin it with the header query-id TAB corpus-id TAB score",
        ),
        (
            "qrels/test.tsv",
            judged([*QRELS["test"], ("q2", "d 1", 1)]),
            "line 5: expected a corpus-id that is text without white space, found 'd 1'",
        ),
        (
            "qrels/test.tsv",
            judged([("q1", "d1", "yes")]),
            "line 2: expected an integer grade, found 'yes'",
        ),
        (
            "queries.jsonl",
            lines([{"text": "x"}]),
            "line 1: expected the key 'query_id' or '_id', found the keys 'text'",
        ),
        ("queries.jsonl", lines([{"_id": 3, "text": "x"}]), "line 1: expected a _id that is text without white space"),
        ("corpus.jsonl", lines([{"title": "x", "text": "x"}]), "line 1: expected the key 'doc_id' or '_id', found"),
    ],
)
def test_a_wrong_file_is_one_line(folder, name, content, said):
    (folder / name).write_text(content)
    documents, topics, judgements = opened("scifact#test", folder.parent)
    with pytest.raises(DataError) as found:
        list(documents.documents()), topics.topics(), judgements.judgements()
    assert str(found.value).startswith(f"{folder / name}, ")
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def test_grades_may_have_a_zero_behind_the_point(folder):
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1.0\nq2\td3\t0.00\n")
    assert open_judgements("scifact#test", "en", folder.parent).judgements() == {"q1": {"d1": 1}, "q2": {"d3": 0}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda qrels: (qrels / "test.tsv.gz").write_bytes(b""),
            "qrels has test.tsv and test.tsv.gz; keep one of them",
        ),
        (lambda qrels: (qrels / "test.tsv").unlink(), "qrels: expected test.tsv, found dev.tsv; name one of them"),
    ],
)
def test_a_split_is_one_file_that_is_there(folder, change, said):
    change(folder / "qrels")
    with pytest.raises(DataError) as found:
        open_judgements("scifact#test", "en", folder.parent)
    assert said in str(found.value)


def test_a_split_that_is_named_is_read_even_beside_judgements_of_the_other_layout(folder):
    (folder / "qrels.trec").write_text("q1 0 d1 3\n")
    assert open_judgements("scifact#dev", "en", folder.parent).judgements() == {"q1": {"d3": 1}}
    for path in (folder / "qrels").iterdir():
        path.unlink()
    (folder / "qrels").rmdir()
    with pytest.raises(DataError, match=r"qrels: expected dev\.tsv, found nothing; add it"):
        open_judgements("scifact#dev", "en", folder.parent)


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(DataError, match=r"absent#test does not exist; relative paths start from the folder of the"):
        open_documents("absent#test", "en", tmp_path)


def test_a_folder_with_files_of_both_layouts_keeps_its_own(folder):
    (folder / "docs.jsonl").write_text(lines([{"doc_id": "own", "text": "own"}]))
    (folder / "qrels.trec").write_text("q1 0 own 1\n")
    documents, _, judgements = opened("scifact", folder.parent)
    assert [one.doc_id for one in documents.documents()] == ["own"]
    assert judgements.judgements() == {"q1": {"own": 1}}


def test_a_cell_runs_on_a_folder_of_beir(folder, own_lab, optical, tmp_path):
    settings = own_lab.settings(pairs={"en-en": {"collection": f"{folder}#test"}}, baselines=["bm25"])
    path = own_lab.write({**settings, "bitext": {}})
    done = optical("evaluate", path, "--objective", "bm25", "--cache-dir", tmp_path / "cache", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["means"]["ndcg@10"] > 0.9
    (run,) = (tmp_path / "cache" / "runs").glob("*/run.trec")
    assert "q2 Q0 q1 1 " in run.read_text()  # the document that is called like a topic is found
