"""Time of a step and memory of a training of the upper layers on stored states, relative to one of all weights.

The second peer trains all layers with frozen word embeddings. A quarter of the layers cannot be more than 4 times as
fast as that; the default, which trains the embeddings too, is slower by their gradients.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise, product
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.distill.trim import costs_of
from bench.distill.world import EXPERIMENTS, make_world, write_experiment
from bench.results import Recorder
from optical_cli.cache.store import Cache
from optical_cli.config.reading import read_experiment
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.progress import Advance, Silence

REG = 0.02
PAIRS = 640
ROUNDS = 3
PEERS = {
    "all weights": ("student.freeze_embeddings=false",),
    "all 12 layers": ("student.freeze_embeddings=true",),
}
OURS = {str(layers): (f"student.train_layers={layers}",) for layers in (3, 6)}


def run(recorder: Recorder) -> None:
    """Time trainings of all layers and of the upper ones in turns, and measure the memory of each in a process."""
    init = EXPERIMENTS / "models/e5-small"
    if not init.exists():
        print(f"distill/upper-layers: not measured, because the encoder {init} is missing", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = write_experiment(make_world(folder, PAIRS), folder, [REG])
        ways = PEERS | OURS
        memory = {way: costs_of(experiment, folder, settings).memory for way, settings in ways.items()}
        rounds = [
            {way: _seconds_a_step(experiment, folder, settings) for way, settings in ways.items()}
            for _ in range(ROUNDS)
        ]
    for way, (name, peer) in product(OURS, zip(("vs-all", "vs-frozen-embeddings"), PEERS, strict=True)):
        recorder.add(
            f"distill/upper-layers/{way}/{name}",
            median(seconds[peer] / seconds[way] for seconds in rounds),
            "x",
            ours=median(seconds[way] for seconds in rounds),
            peer=median(seconds[peer] for seconds in rounds),
            peer_name=peer,
            unit_of_both="s a step",
            init=init.name,
            pairs=PAIRS,
            rounds=ROUNDS,
        )
        recorder.add(
            f"distill/upper-layers/{way}/memory/{name}",
            100 * memory[way] / memory[peer],
            "%",
            ours=memory[way] / 1e6,
            peer=memory[peer] / 1e6,
            peer_name=peer,
            unit_of_both="MB",
            init=init.name,
        )


def _seconds_a_step(experiment: Path, folder: Path, settings: tuple[str, ...]) -> float:
    """Train a student whose inputs are cached, and return the median time from one step to the next."""
    clock = _Clock()
    pipeline = Pipeline(read_experiment(experiment, settings), Cache(folder / "cache"), "cpu", clock)
    step = pipeline.checkpoint(Cell("sw-en", "transport", REG, 13))
    if found := pipeline.cache.find(*step.address):
        pipeline.cache.remove(found)
    pipeline.obtain(step)
    return median(later - earlier for earlier, later in pairwise(clock.times))


class _Clock(Silence):
    """Progress that notes the time of every step of a training."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @contextmanager
    def task(self, name: str, total: float | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        """Note the times of a task that counts steps."""
        yield (lambda _done: self.times.append(perf_counter())) if unit == "steps" else lambda _done: None
