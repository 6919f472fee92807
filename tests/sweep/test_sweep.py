import errno
import json
import shutil

import pytest

from optical_cli.errors import NoRoom, NotConverged
from optical_cli.plan.planned import plan
from optical_cli.sweep.results import cached_results
from optical_cli.sweep.sweep import run_sweep


def sweep(pipeline, on_cell):
    return run_sweep(pipeline, on_cell)


def no_one(_result):
    pass


def test_the_whole_sweep_is_in_the_cache_and_a_second_run_makes_nothing(lab, swept, open_pipeline):
    pipeline = open_pipeline(lab.experiment, swept)
    heard = []
    results, made = run_sweep(pipeline, heard.append)
    assert made == 0
    assert heard == results
    assert [(r.pair, r.objective, r.reg) for r in results if r.pair == "sw-sw"] == [
        ("sw-sw", "none", None),
        ("sw-sw", "transport", 0),
        ("sw-sw", "transport", 0.1),
        ("sw-sw", "transport", float("inf")),
    ]
    assert len(results) == 4 * 3
    assert all(result.scores.topics == 3 and result.scores.unjudged_topics == 1 for result in results)
    assert cached_results(pipeline) == results


def test_the_plan_names_each_artifact_once_in_the_order_of_making(lab, swept, open_pipeline, tmp_path):
    empty = list(plan(open_pipeline(lab.experiment, tmp_path / "cache")))
    full = list(plan(open_pipeline(lab.experiment, swept)))
    assert all(planned.artifact is None for planned in empty)
    assert all(planned.artifact is not None for planned in full)
    keys = [planned.step.key.digest for planned in empty]
    assert len(keys) == len(set(keys)) == len(list(swept.rglob("manifest.json")))
    for number, planned in enumerate(empty):
        assert all(keys.index(wanted.key.digest) < number for wanted in planned.step.inputs.values())


def test_the_same_seed_gives_the_same_files_and_another_seed_does_not(own_lab, swept, open_pipeline, tmp_path):
    changed = own_lab.write(own_lab.settings(transport={"reg": 0.1}, baselines=[], seeds=[13, 14]))
    pipeline = open_pipeline(changed, tmp_path / "cache")
    results, made = run_sweep(pipeline, no_one)
    assert made > 0
    assert [result.failure for result in results] == [None] * 6
    again = {path.parent.name: path.read_bytes() for path in tmp_path.glob("cache/runs/*/run.trec")}
    before = {path.parent.name: path.read_bytes() for path in swept.glob("runs/*/run.trec")}
    shared = again.keys() & before.keys()
    assert len(shared) == 3
    assert all(again[name] == before[name] for name in shared)
    for kind, file in [
        ("checkpoints", "model.safetensors"),
        ("checkpoints", "training.jsonl"),
        ("indexes", "tokens.f16"),
    ]:
        for path in (tmp_path / "cache" / kind).rglob(file):
            other = swept / path.relative_to(tmp_path / "cache")
            assert not other.exists() or path.read_bytes() == other.read_bytes(), path
    scored = {
        seed: [
            path.read_text().replace(f"seed{seed}", "")
            for path in sorted(tmp_path.glob(f"cache/runs/*seed{seed}*/run.trec"))
        ]
        for seed in (13, 14)
    }
    assert scored[13] != scored[14]


@pytest.fixture
def impossible(own_lab):
    """At reg 0.01 a single iteration is not enough; 0 and inf need none."""
    return own_lab.write(
        own_lab.settings(
            transport={"reg": [0, 0.01, "inf"], "max_iterations": 1, "threshold": 1e-9}, baselines=["none"]
        )
    )


def test_a_cell_that_fails_is_listed_and_does_not_stop_the_others(optical, impossible, own_swept, leftovers):
    said = optical("sweep", impossible, "--cache-dir", own_swept, "--device", "cpu")
    assert said.code == 1
    first, *others, outcome, following = [line for line in said.err.splitlines() if "failed" in line or "next:" in line]
    assert first.startswith("sw-sw  reg 0.01  seed 13  failed: ")
    assert "transport.max_iterations" in first
    same = "seed 13  failed: for the same reason as sw-sw  reg 0.01  seed 13"
    assert others == [f"sw-en  reg 0.01  {same}", f"en-sw  reg 0.01  {same}"]
    assert outcome.endswith(" made; 3 of 12 cells failed")
    assert following.startswith("next: optical report ")
    assert "Traceback" not in said.err
    assert not [name for name in leftovers(own_swept) if ".partial" in name]
    results = json.loads(optical("sweep", impossible, "--cache-dir", own_swept, "--device", "cpu", "--json").out)[
        "results"
    ]
    assert {r["reg"] for r in results if r["failure"]} == {0.01}
    assert {r["reg"] for r in results if not r["failure"]} == {None, 0.0, "inf"}


def test_a_sweep_whose_cells_all_failed_does_not_claim_that_the_cache_has_them(optical, own_lab, tmp_path, monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("optical_cli.pipeline.pipeline.Pipeline.obtain", broken)
    said = optical("sweep", own_lab.experiment, "--cache-dir", tmp_path / "empty", "--device", "cpu")
    assert (said.code, said.err.count("RuntimeError: out of memory")) == (1, 1)
    assert said.err.splitlines()[-1] == "0 artifacts made; 12 of 12 cells failed"


def test_one_command_that_does_not_converge_ends_with_1(optical, impossible, own_swept):
    said = optical("distill", impossible, "--reg", "0.01", "--cache-dir", own_swept, "--device", "cpu")
    assert (said.code, said.out, len(said.errors)) == (1, "", 1)


def test_a_student_that_failed_is_not_trained_again_for_the_next_pair(
    impossible, own_swept, open_pipeline, monkeypatch
):
    from optical_cli.distill import train

    trained = []

    def fail(*_arguments, reg, **_options):
        trained.append(reg)
        raise NotConverged("no")

    monkeypatch.setattr(train, "train_student", fail)
    results, _ = sweep(open_pipeline(impossible, own_swept), no_one)
    assert trained == [0.01]
    assert sum(result.failure is not None for result in results) == 3


def test_a_fault_of_the_machine_is_a_failed_cell_too(own_lab, own_swept, open_pipeline, monkeypatch):
    def too_large(*_arguments, **_options):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("optical_cli.distill.train.train_student", too_large)
    results, _ = sweep(open_pipeline(own_lab.experiment, own_swept, "transport.reg=[0.2, 0.1]"), no_one)
    failures = {(result.reg, result.failure) for result in results}
    assert failures == {(None, None), (0.1, None), (0.2, "RuntimeError: out of memory")}


def test_bm25_stands_beside_the_students_where_topics_and_documents_share_a_language(own_lab, own_swept, optical):
    experiment = own_lab.write(own_lab.settings(baselines=["bm25", "none"], bm25={"analyzers": ["folding", "lower"]}))
    said = optical("sweep", experiment, "--cache-dir", own_swept, "--device", "cpu", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["made"] == 2 * 2  # a run and its scores, by either analyzer; no student, no index
    words = [(r["pair"], r["objective"], r["reg"]) for r in found["results"] if r["objective"].startswith("bm25")]
    assert words == [("sw-sw", "bm25-folding", None), ("sw-sw", "bm25-lower", None)]
    table = optical("sweep", experiment, "--cache-dir", own_swept, "--device", "cpu").out
    row = next(line for line in table.splitlines() if line.split()[:2] == ["BM25", "folding"])
    assert row.count("–") == 4  # of sw-en and en-sw
    compared = json.loads(optical("compare", experiment, "bm25-lower", "bm25", "--cache-dir", own_swept, "--json").out)
    assert [(c["pair"], c["setting"], c["reference"]) for c in compared] == [("sw-sw", "BM25 lower", "BM25 folding")]
    (run,) = own_swept.glob("runs/sw-sw-full-bm25-folding-*")
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["health"]["analyzer"] == manifest["material"]["analyzer"] == "folding"
    assert (run / "run.trec").read_text().split()[5] == "sw-sw-full-bm25-folding"


def test_a_sweep_stops_at_a_full_disk_and_goes_on_when_there_is_room(own_lab, own_swept, open_pipeline, monkeypatch):
    scores = sorted(own_swept.glob("scores/*"))
    for folder in scores[1:]:
        shutil.rmtree(folder)
    tried = []

    def full(path, _scores):
        tried.append(path)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    heard = []
    with monkeypatch.context() as patched:
        patched.setattr("optical_cli.artifacts.scores.write_scores", full)
        with pytest.raises(NoRoom, match=r"No space left on device: .* then run the same command again"):
            sweep(open_pipeline(own_lab.experiment, own_swept), heard.append)
    assert len(tried) == 1
    assert all(result.failure is None for result in heard)
    results, made = sweep(open_pipeline(own_lab.experiment, own_swept), heard.append)
    assert made == len(scores) - 1
    assert all(result.failure is None for result in results)
