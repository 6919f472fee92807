import json

import pytest

from optical_cli.cache.store import Cache
from optical_cli.errors import NotConverged
from optical_cli.pipeline.cells import Cell


@pytest.fixture
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "ir_datasets"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def planned(optical, lab, tmp_path):
    """The plan of the mini world with some sections replaced: by kind and label its state, and what was said."""

    def run(**sections):
        path = lab.write(lab.settings(**sections), "plan.yaml")
        said = optical("plan", path, "--cache-dir", tmp_path / "cache", "--json")
        assert said.code == 0, said.err
        return {f"{step['kind']}/{step['label']}": step for step in json.loads(said.out)}, said.err

    return run


@pytest.mark.usefixtures("nothing_cached")
def test_what_needs_an_absent_bitext_is_not_known_and_the_rest_is(planned):
    steps, said = planned(bitext={"sw": {"dataset": "owner/talks", "config": "en-sw"}}, baselines=["none", "bm25"])
    assert "not checked: owner/talks (en-sw, train) is not in" in said
    for known in ("indexes/en-./data-full-teacher", "runs/sw-sw-full-bm25-folding", "checkpoints/teacher-start"):
        assert steps[known]["cached"] is False
        assert len(steps[known]["key"]) == 64
    for unknown in ("encodings/teacher-sw", "checkpoints/sw-reg0-seed13", "scores/sw-en-full-reg0.1-seed13"):
        assert (steps[unknown]["cached"], steps[unknown]["key"]) == (None, None)


@pytest.mark.usefixtures("nothing_cached")
def test_an_absent_teacher_leaves_words_alone(planned):
    steps, said = planned(teacher={"model": "owner/teacher"}, baselines=["bm25"])
    assert "not checked: owner/teacher is neither a folder" in said
    assert {name for name, step in steps.items() if step["key"]} == {
        "runs/sw-sw-full-bm25-folding", "scores/sw-sw-full-bm25-folding"
    }  # fmt: skip


@pytest.mark.usefixtures("nothing_cached")
def test_two_configs_of_one_dataset_are_two_steps(planned):
    pairs = {"sw-en": {"collection": "./data"}, "so-en": {"collection": "./data", "topics": "./data"}}
    bitext = {code: {"dataset": "owner/talks", "config": f"en-{code}"} for code in ("sw", "so")}
    (pairs["so-en"])["topics"] = "./data/queries.sw.tsv"
    steps, _ = planned(bitext=bitext, pairs=pairs)
    assert {"encodings/teacher-sw", "encodings/teacher-so"} <= steps.keys()


@pytest.mark.usefixtures("nothing_cached")
def test_an_absent_collection_is_named_once_and_as_a_table_says_what_it_leaves_open(optical, lab, tmp_path):
    path = lab.write(lab.settings(pairs={"sw-sw": {"collection": "miracl/sw/dev"}}), "plan.yaml")
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    assert [line for line in said.err.splitlines() if line.startswith("not checked: ")] == [
        f"not checked: miracl/sw/dev is missing or incomplete in {tmp_path / 'ir_datasets'}, and downloads are off; "
        "run `optical fetch` on a machine with network access"
    ]
    assert " unknown" in said.out
    assert any(
        line.endswith("unknown until their inputs are on this machine (`optical fetch`)")
        for line in said.out.splitlines()
    )


@pytest.mark.usefixtures("nothing_cached")
def test_a_wrong_name_is_still_an_error(optical, lab, tmp_path):
    path = lab.write(lab.settings(pairs={"sw-sw": {"collection": "miracl/sw/dve"}}), "plan.yaml")
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert "miracl/sw/dve is neither an existing path nor a dataset" in said.errors[0]


@pytest.fixture
def status(optical, own_lab, own_swept):
    def run(*options, experiment=own_lab.experiment):
        return optical("status", experiment, "--cache-dir", own_swept, *options)

    return run


def rows_of(said):
    return [line.split() for line in said.out.splitlines()]


def remove(cache, step):
    cache.remove(cache.find(*step.address))


def test_a_swept_experiment_is_done(status):
    said = status()
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == "mini: 12 cells: 12 done"
    assert ["reg", "0.1", "✓", "✓", "✓"] in rows_of(said)
    assert "being made" not in said.out


def test_what_is_made_now_is_said_with_process_and_progress(status, optical, own_swept, own_lab, open_pipeline):
    pipeline = open_pipeline(own_lab.experiment, own_swept)
    run = pipeline.run(Cell("sw-en", "transport", 0.1, 13))
    for step in (run, pipeline.scores(Cell("sw-en", "transport", 0.1, 13))):
        remove(pipeline.cache, step)
    seen = {}

    def build(_folder):
        pipeline.cache.notes.progressed("retrieve \x1b[31m", 30, 120, "scores", 20.0)
        seen["text"], seen["json"], seen["whole"] = (
            status(),
            status("--json"),
            optical("status", "--cache-dir", own_swept),
        )
        return {}

    pipeline.cache.make(run.kind, run.label, run.key, build)
    assert ["reg", "0.1", "✓", "▶", "✓"] in rows_of(seen["text"])
    assert seen["text"].out.splitlines()[0].startswith("mini: 12 cells: 11 done, 1 running; 2 artifacts to make, about")
    for said in (seen["text"], seen["whole"]):
        assert "runs/sw-en-full-reg0.1-seed13   retrieve \\x1b[31m: 30 of 120 scores, about 60 s left" in said.out
    record = json.loads(seen["json"].out)
    assert record["counts"]["running"] == 1
    assert [one["state"] for one in record["cells"]].count("running") == 1
    (making,) = record["making"]
    assert (making["key"], making["alive"], making["seconds_left"]) == (run.key.digest, True, 60.0)


def test_a_failure_is_told_of_every_cell_that_needs_what_failed(status, own_swept, own_lab, open_pipeline):
    pipeline = open_pipeline(own_lab.experiment, own_swept)
    cells = [Cell(pair, "transport", 0.1, 13) for pair in ("sw-sw", "sw-en", "en-sw")]
    for cell in cells:
        remove(pipeline.cache, pipeline.scores(cell))
    checkpoint = pipeline.checkpoint(cells[0])
    remove(pipeline.cache, checkpoint)

    def fail(_folder):
        raise NotConverged("too many plans")

    with pytest.raises(NotConverged):
        pipeline.cache.make(checkpoint.kind, checkpoint.label, checkpoint.key, fail)
    said = status()
    assert said.code == 0
    assert "9 done, 3 failed; 4 artifacts to make" in said.out.splitlines()[0]
    assert ["reg", "0.1", "✗", "✗", "✗"] in rows_of(said)
    assert "sw-en reg0.1-seed13 failed: too many plans" in said.out
    assert {one["reason"] for one in json.loads(status("--json").out)["cells"]} == {None, "too many plans"}


def test_seeds_stand_beside_each_other(status):
    said = status("--set", "seeds=[13, 14]")
    assert ["reg", "0.1", "✓·", "✓·", "✓·"] in rows_of(said)
    assert "time left" not in said.out.splitlines()[0]  # all stages have been seen


def test_a_killed_process_leaves_a_cell_stopped(status, own_lab, own_swept, open_pipeline):
    pipeline = open_pipeline(own_lab.experiment, own_swept)
    step = pipeline.scores(Cell("sw-en", "transport", 0.1, 13))
    remove(pipeline.cache, step)
    (own_swept / "making").mkdir(exist_ok=True)
    note = {"kind": step.kind, "label": step.label, "key": step.key.digest, "host": "there", "process": 4711,
            "started": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    (own_swept / "making" / f"scores-{step.key.short}.json").write_text(json.dumps(note))
    said = status()
    assert ["reg", "0.1", "✓", "‖", "✓"] in rows_of(said)
    assert "stopped, the process has ended" in said.out
    assert "4711 on there" in said.out


def test_an_empty_cache_is_no_fault_and_stays_empty(optical, lab, tmp_path):
    said = optical("status", "--cache-dir", tmp_path / "none")
    assert (said.code, said.out) == (0, f"nothing is being made in {tmp_path / 'none'}\n")
    assert not (tmp_path / "none").exists()
    said = optical("status", lab.experiment, "--cache-dir", tmp_path / "none")
    assert "12 to do" in said.out
    assert "time left unknown" in said.out
    assert list(Cache(tmp_path / "none").entries()) == []


def test_approximate_search_of_an_absent_collection_is_planned_too(optical, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "ir_datasets"))
    monkeypatch.setenv("IR_DATASETS_SKIP_DISK_FREE", "true")
    path = lab.write(lab.settings(pairs={"sw-sw": {"collection": "miracl/sw/dev", "corpus": "pooled"}}), "absent.yaml")
    engine = ("--set", "retrieval.engine=approximate", "--set", "retrieval.approximate.code_bytes=4")
    found = optical("plan", path, *engine, "--cache-dir", tmp_path / "cache")
    assert (found.code, found.errors) == (0, [])
    assert "not checked: miracl/sw/dev is missing or incomplete in" in found.err
