"""The stages under attack: those of the tiny pair, and a quick one that only uses the store."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.keys import Key, key_of
from optical_cli.cache.store import Cache

TINY_PAIR = (
    "bitext.sw.max_pairs=300",
    "bitext.sw.held_out=40",
    "encoding.batch_size=8",
    "training.epochs=1",
    "training.log_every=1",
    "training.save_every=0.05",
    "transport.reg=[0.02]",
    "pairs={sw-sw: {collection: builtin:tiny}}",
    "baselines=[]",
)
"""Settings with which the tiny pair takes seconds, has many savepoints, and an index of several shards."""
WHICH = ("--reg", "0.02", "--pair", "sw-sw")

Obtain = Callable[[Path], bool]


@dataclass(frozen=True)
class Stage:
    """A stage under attack.

    Attributes:
        kind: kind of its artifact.
        key: key of its artifact.
        obtain: finds or makes the artifact in a cache, and returns whether it made it.
        upstream: a cache with the inputs of the stage only.
        wanted: content of the artifact by file, from an undisturbed run.
        command: arguments of the command that runs the stage; empty if there is none.
    """

    name: str
    kind: str
    key: Key
    obtain: Obtain = field(compare=False)
    upstream: Path
    wanted: dict[str, bytes] = field(repr=False)
    command: tuple[str, ...] = ()

    @property
    def address(self) -> tuple[str, Key]:
        """Kind and key of the artifact."""
        return self.kind, self.key

    def fresh_cache(self, folder: Path) -> Path:
        """Make a cache with the inputs of the stage."""
        return copy_cache(self.upstream, folder)

    def other_than_wanted(self, cache: Path) -> list[str]:
        """List the files of the artifact in a cache with other bytes; all files if the artifact is missing."""
        made = self.made(cache)
        return [name for name in {**self.wanted, **made} if made.get(name) != self.wanted.get(name)]

    def made(self, cache: Path) -> dict[str, bytes]:
        """Read the artifact in a cache, by file; empty if it is missing."""
        artifact = Cache(cache).find(*self.address)
        return {} if artifact is None else content(artifact)


def content(artifact: Artifact) -> dict[str, bytes]:
    """Read an artifact by file, with the parts of its manifest that do not change between runs."""
    files = {name: (artifact.folder / name).read_bytes() for name in artifact.manifest["files"]}
    lasting = {name: artifact.manifest[name] for name in ("kind", "label", "key", "material", "files")}
    return {**files, "manifest": repr(lasting).encode()}


def copy_cache(source: Path, target: Path) -> Path:
    """Copy a cache without locks and notes."""
    return Path(shutil.copytree(source, target, ignore=shutil.ignore_patterns("locks", "making", "failures")))


def faults_of(cache: Path) -> list[str]:
    """List what is wrong with a cache that no process uses: damage, and unfinished files left behind."""
    found = [fault for entry in Cache(cache).all_entries() for fault in entry.faults()]
    left = [*cache.glob("*/.*.partial"), *cache.glob("unfinished/*"), *cache.glob("making/*.json")]
    return found + [f"{path} was left" for path in left]


def quick_stages(folder: Path) -> list[Stage]:
    """Make a stage that writes some files, can be resumed, and loads no torch."""
    key = key_of({"stage": "quick"})

    def build(place: Path, unfinished: Path) -> dict[str, Any]:
        (place / "inner").mkdir()
        unfinished.mkdir(parents=True, exist_ok=True)
        for number in range(4):
            kept = unfinished / f"{number}"
            if not kept.exists():
                kept.with_suffix(".half").write_bytes(bytes([number]) * 50_000)
                kept.with_suffix(".half").rename(kept)
            os.link(kept, place / "inner" / f"{number}.bin")
        (place / "text.txt").write_text("all of it\n")
        return {"files": 5}

    def obtain(root: Path) -> bool:
        cache = Cache(root)
        return cache.make("runs", "quick", key, lambda place: build(place, cache.unfinished("runs", key)))[1]

    upstream = folder / "upstream"
    (upstream / "runs").mkdir(parents=True)
    obtain(copy_cache(upstream, folder / "full"))
    artifact = Cache(folder / "full").find("runs", key)
    assert artifact is not None
    return [Stage("store", "runs", key, obtain, upstream, content(artifact))]


def tiny_stages(folder: Path) -> list[Stage]:
    """Make all stages of the tiny pair, each with a cache of its inputs."""
    from tests.faults.children import run

    full = folder / "full"
    ended = run(lambda: [_obtain(name, full) for name in NAMES])
    if ended.code:
        raise RuntimeError(f"the tiny pair cannot be made: {ended.output}")
    pipeline = _pipeline(full)
    stages = []
    for name in NAMES:
        step = _step(name, pipeline)
        artifact = pipeline.cache.find(*step.address)
        assert artifact is not None
        upstream = folder / f"before-{name}"
        copy_cache(full, upstream)
        for later in NAMES[NAMES.index(name) :]:
            below = _step(later, pipeline)
            found = Cache(upstream).find(*below.address)
            if found is not None:
                Cache(upstream).remove(found)
        command = (COMMANDS[name], "tiny", *WHICH, *(word for setting in TINY_PAIR for word in ("--set", setting)))
        obtain = _Obtain(name)
        stages.append(Stage(name, step.kind, step.key, obtain, upstream, content(artifact), command))
    return stages


COMMANDS = {
    "start": "distill",
    "encodings": "distill",
    "distill": "distill",
    "index": "index",
    "retrieve": "retrieve",
    "evaluate": "evaluate",
}
NAMES = tuple(COMMANDS)


@dataclass(frozen=True)
class _Obtain:
    stage: str

    def __call__(self, root: Path) -> bool:
        return _obtain(self.stage, root)


def _obtain(stage: str, root: Path) -> bool:
    pipeline = _pipeline(root)
    return bool(pipeline.obtain(_step(stage, pipeline))[1])


def _pipeline(root: Path) -> Any:
    from optical_cli.config.reading import read_experiment
    from optical_cli.data.paths import TINY
    from optical_cli.pipeline import Pipeline

    return Pipeline(read_experiment(TINY / "experiment.yaml", TINY_PAIR), Cache(root), "cpu")


def _step(stage: str, pipeline: Any) -> Any:
    from optical_cli.pipeline.cells import Cell

    cell = Cell("sw-sw", "transport", 0.02, 13)
    student = pipeline.checkpoint(cell)
    return {
        "start": lambda: student.inputs["start"],
        "encodings": lambda: student.inputs["sw"],
        "distill": lambda: student,
        "index": lambda: pipeline.index(cell),
        "retrieve": lambda: pipeline.run(cell),
        "evaluate": lambda: pipeline.scores(cell),
    }[stage]()
