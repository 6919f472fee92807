"""Two nodes make the same bytes as one process, also if a worker dies."""

import os
import time
from functools import partial

import pytest

from optical_cli.cluster import spread_stages
from optical_cli.cluster.spread_stages import SpreadMaxSim, spread_encoding
from optical_cli.config.engines import EXACT
from optical_cli.config.experiment import Index
from optical_cli.config.retrieval import Retrieval
from optical_cli.data.documents import Document
from optical_cli.encoder.load import load_encoder, save_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import ClusterError, DataError
from optical_cli.index import build_index
from optical_cli.progress import Silence
from optical_cli.retrieve.search import search

pytestmark = pytest.mark.xdist_group("ray")

BATCH = 1  # shards of 32 documents
SETUP = EncoderSetup(16, 24, "float32", BATCH, "cpu")
WORDS = ["the boat", "the net", "maize", "a book", "Amina", "Juma", "the farmer mends the net"]
DOCUMENTS = [Document(f"d{n}", "", " ".join(WORDS[n % k] for k in (2, 3, 5, 7))) for n in range(5 * 32 + 10)]


@pytest.fixture
def build(lab, tmp_path):
    def built(name, documents=DOCUMENTS, workers=None, encoder=lab.teacher, kept=None):
        folder = tmp_path / name
        folder.mkdir()
        how = {"template": "{text}", "count": None, "kept": kept or Index(), "setup": SETUP}
        build_index(
            documents, encoder, folder, unfinished=tmp_path / f"unfinished {name}", progress=Silence(),
            encode=workers and partial(spread_encoding, workers), **how,
        )  # fmt: skip
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return built


def test_each_node_has_a_worker(workers):
    assert workers.count == 2
    nodes = set(workers.in_turn(_node, range(8)))
    assert len(nodes) == 2


@pytest.mark.parametrize("kept", [Index(), Index(pool_factor=2, storage="int8")], ids=["whole", "smaller"])
def test_an_index_is_the_same_if_a_worker_dies_over_a_shard(build, mortal, kept):
    assert build("by workers", workers=mortal, kept=kept) == build("here", kept=kept)
    assert mortal.mark.exists()


@pytest.fixture
def sparing(lab, tmp_path):
    """The teacher, which does not score the tokens that every text has."""
    encoder = load_encoder(lab.teacher, query_length=16, document_length=24, device="cpu")
    encoder[-1].skiplist_words = [".", "[CLS]", "[SEP]"]
    save_encoder(encoder, tmp_path / "sparing")
    return tmp_path / "sparing"


def test_a_document_that_cannot_be_encoded_is_refused_like_in_one_process(build, workers, sparing):
    documents = [*DOCUMENTS[:70], Document("bad", "", ". ."), *DOCUMENTS[70:]]
    said = []
    for name, by in (("here", None), ("by workers", workers)):
        with pytest.raises(DataError) as refused:
            build(name, documents, by, sparing)
        said.append(str(refused.value))
    assert said[0] == said[1]
    assert "the text has no token to score: '. .'" in said[0]


def test_shards_before_a_document_that_cannot_be_read_are_kept(build, workers, tmp_path):
    def broken_off():
        yield from DOCUMENTS[:100]
        raise DataError("line 101")

    with pytest.raises(DataError, match="line 101"):
        build("stopped", broken_off(), workers)
    finished = (tmp_path / "unfinished stopped" / "doc_ids.txt").read_text().split()
    assert finished == [document.doc_id for document in DOCUMENTS[:96]]


def test_an_encoder_that_differs_on_a_node_is_refused(lab, workers, tmp_path):
    from dataclasses import replace

    from optical_cli.cluster.spread_stages import SharedEncoder, _encode

    other = SharedEncoder(lab.teacher, "0" * 64, SETUP)
    with pytest.raises(DataError, match="it has another encoder, or none"):
        next(workers.in_turn(partial(_encode, other, 1), [["boat"]]))
    absent = replace(other, folder=tmp_path / "absent")
    with pytest.raises(DataError, match="it has another encoder, or none"):
        next(workers.in_turn(partial(_encode, absent, 1), [["boat"]]))


def test_a_run_is_the_same_if_a_worker_dies_over_a_part(lab, build, mortal, tmp_path, monkeypatch):
    monkeypatch.setattr(spread_stages, "MIN_DOCUMENTS", 20)
    build("index")
    runs = []
    for name, by in (("here", None), ("by workers", mortal)):
        folder = tmp_path / f"run {name}"
        folder.mkdir()
        health = search(
            {f"q{n}": word for n, word in enumerate(WORDS)}, lab.teacher, tmp_path / "index", folder,
            engine=EXACT, settings=Retrieval(depth=30, memory=1 << 24), precision="float32", tag="t", setup=SETUP,
            progress=Silence(),
            open_exact=by and partial(SpreadMaxSim, by),
        )  # fmt: skip
        runs.append((health, (folder / "run.trec").read_bytes()))
    assert runs[0] == runs[1]
    assert mortal.mark.exists()


def test_workers_that_die_repeatedly_are_an_error_of_one_line(workers, monkeypatch):
    import optical_cli.cluster.ray_cluster as module

    monkeypatch.setattr(module, "RETRIES", 1)

    def die(_item):
        os._exit(1)

    with pytest.raises(ClusterError, match="died 2 times") as lost:
        next(workers.in_turn(die, [1]))
    assert "\n" not in str(lost.value)


def test_few_results_are_computed_before_they_are_read(workers):
    taken = []

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    results = workers.in_turn(_node, items())
    next(results)
    time.sleep(0.5)
    assert len(taken) <= 2 * workers.count
    results.close()


def _node(_number):
    import ray

    return ray.get_runtime_context().get_node_id()
