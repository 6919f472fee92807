"""Several processes train the same student as one process."""

import json
import os
import subprocess
import sys

import pytest

from optical_cli.pipeline.cells import Cell

OTHER = ("training.batch_tokens=40", "student.adapters={rank: 2}", "student.train_layers=1", "training.anchor={}")


@pytest.mark.parametrize("settings", [(), OTHER])
def test_two_processes_have_the_loss_curve_of_one(own_lab, own_swept, open_pipeline, settings):
    """Run two processes under torchrun, with the command of the README; one of them writes all artifacts."""
    settings = ("training.epochs=3", "encoding.query_length=12", *settings)
    chosen = [part for text in settings for part in ("--set", text)]
    alone = open_pipeline(own_lab.experiment, own_swept / "alone", *settings)
    step = alone.checkpoint(Cell("sw-sw", "transport", 0.1, 13))
    one, _ = alone.obtain(step)
    command = [
        "distill",
        str(own_lab.experiment),
        "--reg",
        "0.1",
        "--pair",
        "sw-sw",
        "--device",
        "cpu",
        "--cache-dir",
        str(own_swept),
        *chosen,
    ]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "optical_cli", *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    (folder,) = own_swept.glob(f"checkpoints/*-{step.key.short}")
    assert done.stdout == f"{folder}\n"  # by one process only
    assert done.stderr.count("made in") == 1
    curves = [[json.loads(line) for line in (path / "training.jsonl").open()] for path in (one.folder, folder)]
    for mine, theirs in zip(*curves, strict=True):
        assert theirs["step"] == mine["step"]
        if "loss" in mine:
            assert theirs["loss"] == pytest.approx(mine["loss"], abs=1e-3)
            assert theirs["plans"] == mine["plans"]
    health = json.loads((folder / "manifest.json").read_text())["health"]
    assert health["processes"] == 2
    assert health["plans"] == one.manifest["health"]["plans"]
