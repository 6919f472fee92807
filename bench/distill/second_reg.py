"""What the second reg of a sweep costs, the first being there."""

import tempfile
from pathlib import Path
from time import perf_counter

import yaml

from bench.distill.world import LENGTH, World, make_world
from bench.results import Recorder
from optical_cli.cache.store import Cache
from optical_cli.cells import Cell
from optical_cli.config import read_experiment
from optical_cli.pipeline import Pipeline

REGS = (0.02, 0.1)
PAIRS = 640


def run(recorder: Recorder) -> None:
    """From an empty cache to the student of one reg, and from there to that of the next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder, PAIRS)
        lines = [f"{pair.teacher}\t{pair.foreign}\n" for pair in world.pairs]
        (folder / "bitext.tsv").write_text("".join(lines), encoding="utf-8")
        (folder / "experiment.yaml").write_text(yaml.safe_dump(_experiment(world)), encoding="utf-8")
        experiment = read_experiment(folder / "experiment.yaml", ())
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


def _experiment(world: World) -> dict[str, object]:
    return {
        "name": "second-reg",
        "teacher": {"model": str(world.teacher)},
        "student": {"init": str(world.student), "freeze_embeddings": True},
        "encoding": {"query_length": LENGTH, "document_length": LENGTH, "precision": "auto"},
        "bitext": {"sw": {"source": "bitext.tsv", "held_out": 100}},
        "transport": {"reg": list(REGS)},
        "training": {"batch_size": 64, "learning_rate": 1e-5, "precision": "auto"},
        "pairs": {"sw-en": {"collection": "builtin:tiny"}},
    }
