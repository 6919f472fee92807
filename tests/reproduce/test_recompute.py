import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from optical_cli.artifacts.token_store import TokenStoreWriter
from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import safe_label
from optical_cli.plan.planned import steps_of
from optical_cli.progress import Silence
from optical_cli.reproduce.recompute import differences, verify_scores, verify_stages


@pytest.fixture
def pipeline(lab, own_swept, open_pipeline):
    """One student of the swept experiment, whose cache may be changed."""
    return open_pipeline(lab.experiment, own_swept, "transport.reg=[0.1]", "baselines=[]")


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def contents(folder: Path):
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "fingerprints" not in path.parts
    }


def test_every_score_of_a_sweep_comes_out_again_and_the_cache_is_left_alone(lab, own_swept, open_pipeline, scratch):
    before = contents(own_swept)
    found = list(verify_scores(open_pipeline(lab.experiment, own_swept), scratch))
    assert [one.state for one in found] == ["same"] * 12
    assert contents(own_swept) == before
    assert list(scratch.iterdir()) == []


def test_every_stage_comes_out_again_and_the_cache_is_left_alone(pipeline, own_swept, scratch):
    before = contents(own_swept)
    stages = ["encodings", "checkpoints", "indexes", "runs", "scores"]
    found = list(verify_stages(pipeline, "cpu", Silence(), scratch))
    assert [one.state for one in found] == ["same"] * 11, [one.reasons for one in found]
    assert {one.step.kind for one in found} == set(stages)
    assert contents(own_swept) == before
    assert not list(scratch.glob("cache/unfinished/*"))
    assert [path.name for path in scratch.iterdir()] == ["cache"]


def test_kinds_are_chosen(pipeline, scratch):
    found = list(verify_stages(pipeline, "cpu", Silence(), scratch, ["indexes"]))
    assert [one.step.kind for one in found] == ["indexes"] * 2


def forge(pipeline, kind, part, change):
    """Put another content in the place of an artifact, with a manifest of its own: whole, and not what is computed.

    It is left alone among those of its kind.
    """
    step = next(step for step, _ in steps_of(pipeline) if step.kind == kind and part in f"{safe_label(step.label)}-")
    artifact = pipeline.cache.find(kind, step.key)
    kept = pipeline.cache.root / "kept"
    shutil.copytree(artifact.folder, kept, ignore=shutil.ignore_patterns("manifest.json"))
    shutil.rmtree(pipeline.cache.root / kind)

    def build(folder):
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        change(folder)
        return {}

    pipeline.cache.make(kind, step.label, step.key, build)


def only(cache, kind, part):
    """Leave one artifact of a kind alone."""
    for folder in cache.glob(f"{kind}/*"):
        if part not in folder.name:
            shutil.rmtree(folder)


def better(folder):
    path = folder / "scores.json"
    content = json.loads(path.read_text())
    content["means"]["ndcg@10"] = 0.999
    path.write_text(json.dumps(content))


def swapped(folder):
    path = folder / "run.trec"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0].replace(" Q0 d", " Q0 x"), *lines[1:]]) + "\n")


def nudged(folder):
    path = folder / "tokens.f16"
    tokens = np.fromfile(path, dtype=np.float16)
    tokens[3] += np.float16(0.5)
    tokens.tofile(path)


@pytest.mark.parametrize(
    ("kind", "part", "change", "said"),
    [
        ("scores", "sw-en-full-reg0.1-", better, "scores.json: ndcg@10 0.999000 in the cache, 0."),
        ("runs", "sw-en-full-reg0.1-", swapped, "run.trec: 1 of "),
        ("indexes", "en-._data", nudged, "tokens.f16: "),
    ],
)
def test_content_that_does_not_come_out_again_is_told_with_how_far_it_is(pipeline, scratch, kind, part, change, said):
    forge(pipeline, kind, part, change)
    (found,) = verify_stages(pipeline, "cpu", Silence(), scratch, [kind])
    assert found.state == "differs"
    assert found.reasons[0].startswith(said)


def test_a_damaged_artifact_is_named_and_nothing_is_computed_from_it(pipeline, own_swept, scratch):
    only(own_swept, "runs", "sw-en-full-reg0.1-")
    only(own_swept, "scores", "sw-en-full-reg0.1-")
    (path,) = own_swept.glob("runs/*/run.trec")
    path.write_bytes(path.read_bytes().replace(b" Q0 ", b" Q1 ", 1))
    (scores,) = verify_scores(pipeline, scratch)
    assert scores.state == "not verified"
    assert scores.reasons == ("inputs are damaged or not in the cache: runs/sw-en-full-reg0.1-seed13",)
    (run,) = verify_stages(pipeline, "cpu", Silence(), scratch, ["runs"])
    assert run.state == "damaged"
    assert f"{path}: its content is not what was written (SHA-256 differs)" in run.reasons[0]


def test_scores_whose_run_was_removed_cannot_be_verified(pipeline, own_swept, scratch):
    shutil.rmtree(own_swept / "runs")
    assert [one.state for one in verify_scores(pipeline, scratch)] == ["not verified"] * 3


def test_what_fails_now_is_told_and_leaves_nothing(pipeline, own_swept, scratch, monkeypatch):
    only(own_swept, "scores", "sw-en-full-reg0.1-")

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("optical_cli.artifacts.scores.write_scores", full)
    (scores,) = verify_scores(pipeline, scratch)
    assert (scores.state, scores.reasons) == ("failed", ("OSError: [Errno 28] No space left on device",))
    assert list(scratch.iterdir()) == []


def test_weights_are_compared_as_numbers(pipeline, scratch):
    from safetensors.torch import load_file, save_file

    def changed(folder):
        path = folder / "model.safetensors"
        weights = load_file(path)
        weights[sorted(weights)[0]].view(-1)[0] += 0.25
        save_file(weights, path, metadata={"format": "pt"})

    forge(pipeline, "checkpoints", "teacher-start", changed)
    (start,) = verify_stages(pipeline, "cpu", Silence(), scratch, ["checkpoints"])
    assert start.state == "differs"
    assert "by 2.5e-01 at most" in start.reasons[0]


@pytest.mark.parametrize(("storage", "name"), [("float16", "tokens.f16"), ("int8", "tokens.i8")])
def test_tokens_are_compared_as_numbers_however_they_are_stored(tmp_path, storage, name):
    tokens = np.array([[1, 0.5], [0, -1]], dtype=np.float32)
    for folder, change in (("then", 0.0), ("now", 0.25)):
        (tmp_path / folder).mkdir()
        with TokenStoreWriter(tmp_path / folder, storage=storage) as writer:
            writer.append([tokens - np.array([[0, change], [0, 0]], dtype=np.float32)])
    files = {path.name: {"sha256": "another" if path.name == name else None} for path in (tmp_path / "then").iterdir()}
    found = list(differences(Artifact("indexes", tmp_path / "then", {"files": files}), tmp_path / "now"))
    (said,) = [line for line in found if line.startswith(name)]
    assert said == f"{name}: 25.0% of 4 numbers differ, by 2.5e-01 at most"
