"""`optical plan` where a part of the input is not on this machine."""

import json

import pytest


@pytest.fixture(autouse=True)
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


def test_what_needs_an_absent_bitext_is_not_known_and_the_rest_is(planned):
    steps, said = planned(bitext={"sw": {"dataset": "owner/talks", "config": "en-sw"}}, baselines=["none", "bm25"])
    assert "not checked: owner/talks (en-sw, train) is not in" in said
    for known in ("indexes/en-./data-full-teacher", "runs/sw-sw-full-bm25-folding", "checkpoints/teacher-start"):
        assert steps[known]["cached"] is False
        assert len(steps[known]["key"]) == 64
    for unknown in ("encodings/teacher-sw", "checkpoints/sw-reg0-seed13", "scores/sw-en-full-reg0.1-seed13"):
        assert (steps[unknown]["cached"], steps[unknown]["key"]) == (None, None)


def test_an_absent_teacher_leaves_words_alone(planned):
    steps, said = planned(teacher={"model": "owner/teacher"}, baselines=["bm25"])
    assert "not checked: owner/teacher is no folder" in said
    assert {name for name, step in steps.items() if step["key"]} == {
        "runs/sw-sw-full-bm25-folding", "scores/sw-sw-full-bm25-folding"
    }  # fmt: skip


def test_two_configs_of_one_dataset_are_two_steps(planned):
    pairs = {"sw-en": {"collection": "./data"}, "so-en": {"collection": "./data", "topics": "./data"}}
    bitext = {code: {"dataset": "owner/talks", "config": f"en-{code}"} for code in ("sw", "so")}
    (pairs["so-en"])["topics"] = "./data/queries.sw.tsv"
    steps, _ = planned(bitext=bitext, pairs=pairs)
    assert {"encodings/teacher-sw", "encodings/teacher-so"} <= steps.keys()


def test_an_absent_collection_is_named_once_and_as_a_table_says_what_it_leaves_open(optical, lab, tmp_path):
    path = lab.write(lab.settings(pairs={"sw-sw": {"collection": "miracl/sw/dev"}}), "plan.yaml")
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    assert [line for line in said.err.splitlines() if line.startswith("not checked: ")] == [
        f"not checked: miracl/sw/dev is not whole in {tmp_path / 'ir_datasets'}, and downloads are off; "
        "`optical fetch` brings it where there is a network"
    ]
    assert "not known" in said.out
    assert any(line.endswith("not known before their input is here") for line in said.out.splitlines())


def test_a_wrong_name_is_still_an_error(optical, lab, tmp_path):
    path = lab.write(lab.settings(pairs={"sw-sw": {"collection": "miracl/sw/dve"}}), "plan.yaml")
    said = optical("plan", path, "--cache-dir", tmp_path / "cache")
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert "miracl/sw/dve is neither a path that exists nor a dataset" in said.errors[0]
