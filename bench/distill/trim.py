"""What a student costs whose vocabulary is trimmed, or that learns by adapters, against the whole one."""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.distill.world import EXPERIMENTS, make_world, write_experiment
from bench.results import Recorder
from optical_cli.cache.store import Cache
from optical_cli.cells import Cell
from optical_cli.config import read_experiment
from optical_cli.pipeline import Pipeline

REG = 0.02
PAIRS = 320
WAYS = {  # beside the whole student; embeddings are trained too, as they are by default
    "trim": ("student.vocabulary=trim",),
    "trim-adapters": ("student.vocabulary=trim", "student.adapters={}"),
}
DEFAULTS = ("student.freeze_embeddings=false",)
# a process begins with the peak of the one that starts it, so that is to be a small one
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def run(recorder: Recorder) -> None:
    """One training a way, each in a process of its own, so that its peak is its own."""
    init = EXPERIMENTS / "models/e5-small"
    if not init.exists():
        print(f"distill/trim: needs a student of many languages at {init}; not measured", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = write_experiment(make_world(folder, PAIRS), folder, [REG])
        memory, size = _costs(experiment, folder, DEFAULTS)
        for way, settings in WAYS.items():
            less_memory, less_size = _costs(experiment, folder, DEFAULTS + settings)
            for what, ours, peer in (("memory", less_memory, memory), ("size", less_size, size)):
                recorder.add(
                    f"distill/{way}/{what}",
                    100 * ours / peer,
                    "%",
                    ours=ours / 1e6,
                    peer=peer / 1e6,
                    peer_name="the whole student",
                    unit_of_both="MB",
                    pairs=PAIRS,
                    init=init.name,
                )


def _costs(experiment: Path, folder: Path, settings: tuple[str, ...]) -> tuple[float, float]:
    """Peak memory of a training and the size of its checkpoint, in bytes; what is upstream is made before."""
    cache = Cache(folder / "cache")
    pipeline = Pipeline(read_experiment(experiment, settings), cache, "cpu")
    step = pipeline.checkpoint(Cell("sw-en", "transport", REG, 13))
    for upstream in step.inputs.values():
        pipeline.obtain(upstream)
    chosen = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "optical_cli", "distill", str(experiment), "--cache-dir", str(cache.root), *chosen]
    done = subprocess.run([sys.executable, "-c", PEAK, *command], capture_output=True, text=True, check=True)  # noqa: S603
    return 1024.0 * int(done.stdout), float(pipeline.obtain(step)[0].size)
