"""A training that was stopped and resumed ends with the same student as an uninterrupted one."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from optical_cli.errors import NotConverged, OutOfTime
from optical_cli.pipeline.cells import Cell

SETTINGS = ("training.epochs=8", "training.save_every=0.001", "training.log_every=4", "training.watch=3")
CELL = Cell("sw-sw", "transport", 0.1, 13)


def files_of(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in {".safetensors", ".jsonl"}
    }


def health_of(folder):
    return json.loads((folder / "manifest.json").read_text())["health"]


@pytest.fixture
def unbroken(own_lab, own_swept, open_pipeline):
    """The files and the health of an uninterrupted training, whose artifact is removed from the cache."""
    pipeline = open_pipeline(own_lab.experiment, own_swept, *SETTINGS)
    artifact, _ = pipeline.obtain(pipeline.checkpoint(CELL))
    result = files_of(artifact.folder), health_of(artifact.folder)
    pipeline.cache.remove(artifact)
    return result


@pytest.fixture
def unfinished(own_swept):
    """The names of the files kept of trainings that were stopped."""
    return lambda: sorted(path.name for path in own_swept.glob("unfinished/*/*"))


def test_a_killed_training_resumes_to_the_same_student(own_lab, own_swept, open_pipeline, unbroken, unfinished):
    setting = [part for text in SETTINGS for part in ("--set", text)]
    command = [sys.executable, "-m", "optical_cli", "distill", own_lab.experiment, "--reg", "0.1", "--pair", "sw-sw"]
    with subprocess.Popen(
        [*map(str, command), "--cache-dir", str(own_swept), *setting],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    ) as process:
        while process.poll() is None and not any(own_swept.glob("unfinished/*/checkpoint-*/complete.json")):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert any(name.startswith("checkpoint-") for name in unfinished())
    pipeline = open_pipeline(own_lab.experiment, own_swept, *SETTINGS)
    artifact, made = pipeline.obtain(pipeline.checkpoint(CELL))
    assert made
    assert (files_of(artifact.folder), health_of(artifact.folder)) == unbroken
    assert unfinished() == []


def test_a_training_out_of_time_resumes_to_the_same_student(own_lab, own_swept, open_pipeline, unbroken, unfinished):
    for step in (4, 8, 12, 16, 20):  # each run ends at the next line of the log
        pipeline = open_pipeline(own_lab.experiment, own_swept, *SETTINGS, deadline=0.0)  # in the past
        with pytest.raises(OutOfTime, match=f"step {step} of 24"):
            pipeline.obtain(pipeline.checkpoint(CELL))
        assert f"checkpoint-{step}" in unfinished()
    pipeline = open_pipeline(own_lab.experiment, own_swept, *SETTINGS)
    artifact, _ = pipeline.obtain(pipeline.checkpoint(CELL))
    assert (files_of(artifact.folder), health_of(artifact.folder)) == unbroken
    assert unfinished() == []


def no_marker(savepoint):
    (savepoint / "complete.json").unlink()


def a_flipped_bit(savepoint):
    weights = max(savepoint.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[-100] ^= 64
    weights.write_bytes(content)


@pytest.mark.parametrize("damage", [no_marker, a_flipped_bit])
def test_a_damaged_savepoint_is_not_resumed_from(own_lab, own_swept, open_pipeline, unbroken, damage):
    pipeline = open_pipeline(own_lab.experiment, own_swept, *SETTINGS, deadline=0.0)
    with pytest.raises(OutOfTime):
        pipeline.obtain(pipeline.checkpoint(CELL))
    (half,) = own_swept.glob("unfinished/*/checkpoint-4")
    damage(half)
    pipeline = open_pipeline(own_lab.experiment, own_swept, *SETTINGS)
    artifact, _ = pipeline.obtain(pipeline.checkpoint(CELL))
    assert (files_of(artifact.folder), health_of(artifact.folder)) == unbroken


def test_a_training_that_diverged_leaves_no_savepoint(own_lab, own_swept, open_pipeline, unfinished):
    wrong = (*SETTINGS, "training.learning_rate=1e30")
    pipeline = open_pipeline(own_lab.experiment, own_swept, *wrong)
    with pytest.raises(NotConverged, match="diverged"):
        pipeline.obtain(pipeline.checkpoint(CELL))
    assert unfinished() == []
