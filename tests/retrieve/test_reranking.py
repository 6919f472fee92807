"""Reranking: each topic is ranked among the documents of a run."""

import pytest

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import read_run
from optical_cli.pipeline.cells import Cell

RUN = {"q1": ["d2", "d5", "d1"], "q2": ["d2", "d6"], "absent": ["d4"]}


@pytest.fixture
def world(own_lab):
    """The mini world with a run of another system, for two of its topics and for an unknown topic."""
    lines = [f"{q} Q0 {doc} {k} {9 - k} theirs" for q, docs in RUN.items() for k, doc in enumerate(docs)]
    (own_lab.root / "theirs.trec").write_text("\n".join(lines) + "\n")
    return own_lab


@pytest.fixture
def experiment(world):
    def written(candidates="theirs.trec", pair="sw-sw", **sections):
        pairs = {pair: {"collection": "./data", "corpus": "candidates", "candidates": candidates}}
        return world.write(world.settings(pairs=pairs, **sections))

    return written


def rankings(pipeline, cell):
    run, _ = pipeline.obtain(pipeline.run(cell))
    return read_run(run.folder / "run.trec"), run


NONE = Cell("sw-sw", "none", None, 13)


def test_candidates_are_ranked_by_the_scores_of_a_full_search(experiment, lab, own_swept, open_pipeline, tmp_path):
    found, run = rankings(open_pipeline(experiment(), tmp_path / "cache"), NONE)
    full, _ = rankings(open_pipeline(lab.experiment, own_swept, "retrieval.depth=6"), NONE)
    for q in ("q1", "q2"):  # padding depends on the batch, and so do the last bits of a token
        among = {doc_id: score for doc_id, score in full[q] if doc_id in RUN[q]}
        assert [doc_id for doc_id, _ in found[q]] == list(among)
        assert dict(found[q]) == pytest.approx(among, abs=5e-6)
    assert found.keys() == {"q1", "q2"}
    assert run.manifest["health"] == {"topics": 4, "documents": 4, "topics_without_candidates": 2}
    assert (run.folder / "run.trec").read_text().split()[5] == "sw-sw-candidatesoftheirs-none"


def test_only_the_candidates_are_encoded(experiment, open_pipeline, tmp_path):
    pipeline = open_pipeline(experiment(), tmp_path / "cache")
    index, _ = pipeline.obtain(pipeline.index(NONE))
    assert DocumentIndex.open(index.folder).doc_ids == ["d1", "d2", "d5", "d6"]


def test_the_mode_is_shown_and_topics_without_candidates_are_reported_and_score_0(experiment, optical, tmp_path):
    path = experiment(transport={"reg": 0}, baselines=["bm25", "none"])
    swept = optical("sweep", path, "--cache-dir", tmp_path / "cache", "--device", "cpu")
    assert swept.code == 0, swept.err
    assert "sw-sw: 2 topics have no candidates, and so no results" in swept.err
    assert "1 topic without results scored 0" in swept.err  # q3 is judged, q4 is not
    assert "sw-sw (candidates of theirs)" in swept.out
    (words,) = (tmp_path / "cache").glob("runs/sw-sw-candidatesoftheirs-bm25-folding-*/run.trec")
    found = {q: {doc for doc, _ in ranking} for q, ranking in read_run(words).items()}
    assert found == {"q1": {"d1", "d5"}, "q2": {"d2", "d6"}}


def test_bm25_can_give_the_candidates(experiment, open_pipeline, tmp_path):
    pipeline = open_pipeline(experiment("bm25", baselines=["bm25"]), tmp_path / "cache")
    found, run = rankings(pipeline, NONE)
    first = pipeline.run(NONE).inputs["candidates"]
    assert first.label == "sw-sw-full-bm25-folding"
    candidates = read_run(pipeline.obtain(first)[0].folder / "run.trec")
    assert {q: {d for d, _ in r} for q, r in found.items()} == {q: {d for d, _ in r} for q, r in candidates.items()}
    assert rankings(pipeline, Cell("sw-sw", "bm25-folding", None, 13))[0] == candidates
    assert "candidatesofbm25" in run.folder.name


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("q1 Q0 d3 3 high t", "theirs.trec:7: expected a finite score in field 5, found 'high'; correct the line"),
        ("q1 Q0 d3", "theirs.trec:7: expected 6 fields (query_id Q0 doc_id rank score tag), found 3"),
        ("q1 Q0 d1 3 1 t", "theirs.trec:7: expected document 'd1' once for topic 'q1', found it twice"),
        ("q1 Q0 gone 3 1 t", "theirs.trec: 1 of 5 candidates are not in ./data, such as 'gone'"),
    ],
)
def test_a_faulty_run_of_candidates_is_refused_before_anything_is_computed(
    world, experiment, optical, tmp_path, leftovers, line, fault
):
    with (world.root / "theirs.trec").open("a") as file:
        file.write(line + "\n")
    for command in ("sweep", "plan"):
        found = optical(command, experiment(), "--cache-dir", tmp_path / "cache")
        assert (found.code, found.out, len(found.errors)) == (2, "", 1)
        assert fault in found.errors[0]
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("pair", "candidates", "fault"),
    [
        ("sw-sw", "absent.trec", "pairs.sw-sw.candidates: {root}/absent.trec does not exist; expected a TREC run"),
        ("sw-sw", None, "pairs.sw-sw.candidates: expected a TREC run file or bm25 with `corpus: candidates`"),
        ("sw-en", "bm25", "pairs.sw-en.candidates: BM25 matches words, but topics and documents are in different"),
    ],
)
def test_a_wrong_setting_of_candidates_is_refused(world, experiment, optical, tmp_path, pair, candidates, fault):
    found = optical("plan", experiment(candidates, pair), "--cache-dir", tmp_path / "cache", "--json")
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert fault.format(root=world.root) in found.errors[0]


def test_a_run_of_other_topics_is_refused(world, experiment, optical, tmp_path):
    (world.root / "theirs.trec").write_text("other Q0 d1 1 1 t\n")
    found = optical("plan", experiment(), "--cache-dir", tmp_path / "cache", "--json")
    assert "expected candidates for the topics of ./data, found other topics only, such as 'other'" in found.err
    assert found.code == 2


def test_candidates_with_another_corpus_mode_are_refused(world, optical, tmp_path):
    pairs = {"sw-sw": {"collection": "./data", "candidates": "theirs.trec"}}
    found = optical("plan", world.write(world.settings(pairs=pairs)), "--cache-dir", tmp_path / "cache")
    assert "found theirs.trec with `corpus: full`" in found.err
    assert found.code == 2
