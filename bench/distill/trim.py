"""Memory and size of students with a trimmed vocabulary or adapters, relative to the whole student."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.distill.world import EXPERIMENTS, make_world, write_experiment
from bench.results import Recorder
from optical_cli.cache.store import Cache
from optical_cli.config.reading import read_experiment
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell

REG = 0.02
PAIRS = 320
WAYS = {  # compared with the whole student; word embeddings are trained, as by default
    "trim": ("student.vocabulary=trim",),
    "trim-adapters": ("student.vocabulary=trim", "student.adapters={}"),
}
ACTIVATIONS = {"kept": (), "recomputed": ("training.recompute=true",)}
DEFAULTS = ("student.freeze_embeddings=false",)
# a process inherits the peak memory of its parent, so a small process starts it
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def run(recorder: Recorder) -> None:
    """Train once in each way, in processes of their own, and record peak memory and size."""
    init = EXPERIMENTS / "models/e5-small"
    if not init.exists():
        print(f"distill/trim: not measured, because the multilingual encoder {init} is missing", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = write_experiment(make_world(folder, PAIRS), folder, [REG])
        for activations, chosen in ACTIVATIONS.items():
            peer = costs_of(experiment, folder, DEFAULTS + chosen)
            for way, settings in WAYS.items():
                ours = costs_of(experiment, folder, DEFAULTS + chosen + settings)
                add = partial(recorder.add, unit="%", peer_name="the whole student", unit_of_both="MB", init=init.name)
                add(
                    f"distill/{way}/memory/{activations}",
                    100 * ours.memory / peer.memory,
                    ours=ours.memory / 1e6,
                    peer=peer.memory / 1e6,
                )
                if activations == "kept":  # recomputing does not change the checkpoint
                    add(f"distill/{way}/size", 100 * ours.size / peer.size, ours=ours.size / 1e6, peer=peer.size / 1e6)


@dataclass(frozen=True)
class Costs:
    """Costs of a training.

    Attributes:
        memory: peak memory in bytes.
        size: size of the checkpoint in bytes.
        seconds: time of the training, without start-up.
    """

    memory: float
    size: float
    seconds: float


def costs_of(experiment: Path, folder: Path, settings: tuple[str, ...]) -> Costs:
    """Measure a training, after its inputs have been made."""
    cache = Cache(folder / "cache")
    pipeline = Pipeline(read_experiment(experiment, settings), cache, "cpu")
    step = pipeline.checkpoint(Cell("sw-en", "transport", REG, 13))
    for upstream in step.inputs.values():
        pipeline.obtain(upstream)
    if found := cache.find(*step.address):  # made in another way with the same student
        cache.remove(found)
    chosen = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "optical_cli", "distill", str(experiment), "--cache-dir", str(cache.root), *chosen]
    done = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True, check=True)  # noqa: S603
    made, _ = pipeline.obtain(step)
    return Costs(1024.0 * int(done.stdout), float(made.size), float(made.manifest["seconds"]))
