import json
import sys

import pytest

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import read_run
from optical_cli.config.engines import EXACT
from optical_cli.config.experiment import Index
from optical_cli.config.retrieval import Retrieval
from optical_cli.data.documents import Document
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.index import build_index
from optical_cli.progress import Silence
from optical_cli.retrieve.search import search

HOW = {"setup": EncoderSetup(16, 24, "float32", 2, "cpu"), "progress": Silence()}
SEARCH = {"engine": EXACT, "tag": "t", **HOW}
SAME = "Amina mends the boat ."


@pytest.fixture
def index(lab, tmp_path):
    """An index of five documents with the same text and two others."""
    texts = {"e": SAME, "a": SAME, "x": "Juma buys maize .", "c": SAME, "b": SAME, "y": "a book", "d": SAME}
    documents = [Document(doc_id, "", text) for doc_id, text in texts.items()]
    folder = tmp_path / "index"
    folder.mkdir()
    how = {"unfinished": tmp_path / "unfinished", "template": "{title} {text}", "count": None, "kept": Index(), **HOW}
    assert build_index(documents, lab.teacher, folder, **how)["documents"] == 7
    return folder


@pytest.fixture
def run(lab, index, tmp_path):
    def found(depth, memory=1 << 30, topics=None):
        search(
            topics or {"q": "Amina mends the boat", "r": "Juma buys maize"},
            lab.teacher,
            index,
            tmp_path,
            settings=Retrieval(depth=depth, memory=memory),
            precision="bfloat16",
            **SEARCH,
        )
        return {query: [doc for doc, _ in ranking] for query, ranking in read_run(tmp_path / "run.trec").items()}

    return found


def test_ties_are_ordered_by_descending_document_id(run):
    ids = run(7)["q"]
    assert [doc for doc in ids if doc not in "xy"] == ["e", "d", "c", "b", "a"]


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
@pytest.mark.parametrize("memory", [1 << 20, 1 << 30])
def test_a_cut_through_a_tie_keeps_the_top_of_the_whole_ranking(run, depth, memory):
    assert {query: ids[:depth] for query, ids in run(7, memory).items()} == run(depth, memory)


def test_a_depth_above_the_size_of_the_collection_returns_all_documents(run):
    assert {query: len(ids) for query, ids in run(1000).items()} == {"q": 7, "r": 7}


def test_encoders_of_different_dimensions_are_refused(lab, index, tmp_path):
    with pytest.raises(DataError, match="queries have 24 dimensions and documents 16"):
        search({"q": "boat"}, lab.student, index, tmp_path, settings=Retrieval(), precision="float32", **SEARCH)


def test_documents_are_stored_in_order_with_tokens_of_unit_length(index):
    held = DocumentIndex.open(index)
    assert held.doc_ids == list("eaxcbyd")
    norms = (held.store.vectors(0, held.store.tokens) ** 2).sum(1)
    assert norms.min() > 0.99
    assert norms.max() < 1.01
    assert json.loads((index / "tokens.json").read_text()) == {"dimensions": 16}
    assert held.store.lengths.tolist()[:3] == [6, 6, 5]  # [CLS] words [SEP]; the full stop is not scored


def test_chunks_of_topics_do_not_change_the_run_or_its_order(run, monkeypatch):
    topics = {f"q{n}": text for n, text in enumerate(["boat", "maize", "a book", "Juma", "net", "Amina mends"])}
    together = run(3, topics=topics)
    monkeypatch.setattr(sys.modules["optical_cli.encoder.encode"], "CHUNK_BATCHES", 2)  # of 2 texts each
    assert run(3, topics=topics) == together
    assert list(together) == list(topics)
