"""Runs of exact search compared with scoring every document, on three collections, one of them full of ties."""

from pathlib import Path

import numpy as np
import pytest

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import rank, read_run, write_run
from optical_cli.config.engines import EXACT
from optical_cli.config.experiment import Index
from optical_cli.config.retrieval import Retrieval
from optical_cli.data.collections import open_documents, open_topics
from optical_cli.data.documents import Document
from optical_cli.data.paths import builtin_path
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.index import build_index
from optical_cli.progress import Silence
from optical_cli.retrieve.maxsim import score
from optical_cli.retrieve.search import search

DEPTH = 100
ROUNDING = 2e-5  # difference of two sums of 1,000 float32 products in different orders
SETUP = EncoderSetup(24, 48, "float32", 32, "cpu")
HOW = {"setup": SETUP, "progress": Silence()}


def documents_of(name):
    language = name[:2]
    read = list(open_documents("builtin:tiny", language, Path()).documents())
    if name == "en twice":
        return [
            Document(f"{copy}{document.doc_id}", document.title, document.text) for copy in "ab" for document in read
        ]
    return read


@pytest.fixture(scope="module", params=["en", "sw", "en twice"])
def world(request, tmp_path_factory):
    """Topics of the tiny pair, their tokens, and an index by its teacher, which knows no Swahili."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "index").mkdir()
    teacher = builtin_path("model", "builtin:tiny-teacher")
    build_index(
        documents_of(request.param),
        teacher,
        folder / "index",
        unfinished=folder / "unfinished",
        template="{title} {text}",
        count=None,
        kept=Index(),
        **HOW,
    )
    topics = dict(list(open_topics("builtin:tiny", request.param[:2], Path()).topics().items())[:60])
    queries = encode_texts(open_encoder(teacher, SETUP), list(topics.values()), "query", SETUP.batch_size)
    return folder, topics, queries, DocumentIndex.open(folder / "index")


@pytest.fixture
def run_of(world, tmp_path):
    folder, topics, *_ = world

    def run(precision, memory):
        search(
            topics,
            builtin_path("model", "builtin:tiny-teacher"),
            folder / "index",
            tmp_path,
            engine=EXACT,
            settings=Retrieval(depth=DEPTH, memory=memory),
            precision=precision,
            tag="t",
            **HOW,
        )
        return tmp_path / "run.trec"

    return run


def test_the_run_equals_scoring_every_document_for_any_memory_and_precision(world, run_of, tmp_path):
    _, topics, queries, index = world
    numbers = np.arange(len(index.doc_ids))
    everything = (
        (query_id, rank(zip(index.doc_ids, score(query.numpy(), index.store, numbers).tolist(), strict=True), DEPTH))
        for query_id, query in zip(topics, queries, strict=True)
    )
    write_run(tmp_path / "everything.trec", everything, "t")
    expected = (tmp_path / "everything.trec").read_bytes()
    for precision in ("float32", "bfloat16"):
        for memory in (1 << 20, 1 << 30):
            assert run_of(precision, memory).read_bytes() == expected, (precision, memory)


def test_the_order_of_documents_agrees_with_float32_products(world, run_of):
    _, topics, queries, index = world
    found = read_run(run_of("bfloat16", 1 << 24))
    for query_id, query in zip(topics, queries, strict=True):
        scores = np.array([(query.numpy() @ index.store[n].T).max(1).sum() for n in range(len(index.doc_ids))])
        place = {doc_id: number for number, doc_id in enumerate(index.doc_ids)}
        chosen = np.array([place[doc_id] for doc_id, _ in found[query_id]])
        assert len(chosen) == DEPTH
        assert (np.diff(scores[chosen]) <= ROUNDING).all()
        assert np.delete(scores, chosen).max() <= scores[chosen].min() + ROUNDING
