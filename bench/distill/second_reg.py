"""Time of the second reg of a sweep, relative to the first."""

import tempfile
from pathlib import Path
from time import perf_counter

from bench.distill.world import make_world, write_experiment
from bench.results import Recorder
from optical_cli.cache.store import Cache
from optical_cli.config.reading import read_experiment
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell

REGS = (0.02, 0.1)
PAIRS = 640


def run(recorder: Recorder) -> None:
    """Time the student of one reg from an empty cache, and then the student of another reg."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder, PAIRS)
        experiment = read_experiment(write_experiment(world, folder, REGS), ())
        cache = Cache(folder / "cache")
        seconds, made = [], []
        for reg in REGS:
            pipeline = Pipeline(experiment, cache, "cpu")
            begin = perf_counter()
            pipeline.obtain(pipeline.checkpoint(Cell("sw-en", "transport", reg, 13)))
            seconds.append(perf_counter() - begin)
            made.append(pipeline.made)
    recorder.add(
        "distill/second-reg/vs-first",
        100 * seconds[1] / seconds[0],
        "%",
        ours=seconds[1],
        peer=seconds[0],
        peer_name=f"the first reg, which makes {made[0]} artifacts; the second makes {made[1]}",
        unit_of_both="s",
        pairs=PAIRS,
        real=world.real,
    )
