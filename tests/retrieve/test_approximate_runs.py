"""Experiments with approximate search, from the command line."""

import json
import sys

import pytest

from optical_cli.artifacts.run import read_run
from optical_cli.pipeline.cells import Cell

pytest.importorskip("faiss")

HOW = {"lists": 4, "code_bytes": 4, "probes": 2, "rescored": 5, "checked": 2}
NONE = Cell("sw-en", "none", None, 13)


@pytest.fixture
def experiment(lab):
    def written(**how):
        pairs = {"sw-sw": {"collection": "./data"}, "sw-en": {"collection": "./data"}}
        retrieval = {"engine": "approximate", "depth": 5, "approximate": {**HOW, **how}}
        content = lab.settings(
            name="mini-approximate",
            pairs=pairs,
            retrieval=retrieval,
            baselines=["bm25", "none"],
            transport={"reg": [0.1]},
        )
        return lab.write(content, "approximate.yaml")

    return written


def test_a_sweep_marks_approximate_runs_and_reports_their_overlap(experiment, optical, tmp_path):
    cache = tmp_path / "cache"
    swept = optical("sweep", experiment(), "--cache-dir", cache)
    assert (swept.code, swept.errors) == (0, [])
    table = swept.out.split("\n\n")[0]
    names = ("BM25 folding", "untrained start", "reg 0.1")
    marked = {name: "≈" in line for name in names for line in table.splitlines() if line.strip().startswith(name)}
    assert marked == {"BM25 folding": False, "untrained start": True, "reg 0.1": True}
    assert "≈ Approximate search (retrieval.engine: approximate): " in " ".join(swept.out.split())

    again = optical("sweep", experiment(), "--cache-dir", cache, "--json")
    results = json.loads(again.out)["results"]
    assert json.loads(again.out)["made"] == 0
    searches = {(result["pair"], result["objective"]): result.get("search") for result in results}
    assert searches["sw-sw", "bm25-folding"] is None
    assert 0.5 < searches["sw-en", "none"]["overlap"] <= 1


def test_the_overlap_in_the_manifest_is_that_of_the_run_file(experiment, open_pipeline, tmp_path):
    approximate = open_pipeline(experiment(probes=1), tmp_path / "cache")
    run, _ = approximate.obtain(approximate.run(NONE))
    exact_pipeline = open_pipeline(experiment(), tmp_path / "cache", "retrieval.engine=exact")
    exact, _ = exact_pipeline.obtain(exact_pipeline.run(NONE))
    found, best = (read_run(one.folder / "run.trec") for one in (run, exact))
    shares = [len(dict(found[q]).keys() & dict(best[q]).keys()) / len(best[q]) for q in best]
    health = run.manifest["health"]
    assert health["engine"] == "approximate"
    assert health["checked_topics"] == 2
    assert min(shares) <= health["least_overlap"] <= health["overlap"] <= max(shares)
    assert "sw-en-full-approximate-none" in run.folder.name
    assert "overlap" not in exact.manifest["health"]


def test_the_index_is_shared_with_the_exact_search_and_quantised_once(experiment, open_pipeline, tmp_path):
    approximate = open_pipeline(experiment(), tmp_path / "cache")
    exact = open_pipeline(experiment(), tmp_path / "cache", "retrieval.engine=exact")
    assert approximate.index(NONE).key == exact.index(NONE).key

    def structure(*overrides):
        return open_pipeline(experiment(), tmp_path / "cache", *overrides).run(NONE).inputs["quantized"].key

    assert structure("retrieval.approximate.probes=3") == structure()  # only changes the search
    assert structure("retrieval.approximate.code_bytes=8") != structure()


def test_a_depth_above_the_rescored_documents_is_refused(experiment, optical, tmp_path):
    found = optical("plan", experiment(rescored=4), "--cache-dir", tmp_path / "cache")
    assert (found.code, found.out) == (2, "")
    assert "retrieval.approximate.rescored: expected at least retrieval.depth (5), found 4" in found.errors[0]


def test_without_faiss_nothing_is_computed(experiment, optical, tmp_path, monkeypatch, leftovers):
    monkeypatch.setitem(sys.modules, "faiss", None)
    found = optical("sweep", experiment(), "--cache-dir", tmp_path / "cache")
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert "needs faiss, which is not installed; run pip install 'optical-cli[approximate]'" in found.errors[0]
    assert leftovers(tmp_path / "cache") == []


def test_code_bytes_that_do_not_suit_the_index_are_refused(experiment, optical, tmp_path):
    cell = ("--pair", "sw-en", "--objective", "none")
    found = optical("retrieve", experiment(code_bytes=5), *cell, "--cache-dir", tmp_path / "cache")
    assert (found.code, found.out) == (2, "")
    assert "code_bytes: a divisor of the 16 dimensions of a token expected, found 5" in found.errors[0]
