"""A step of the pipeline: an artifact that is there or can be made."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from optical_cli.cache.artifact import Health
from optical_cli.cache.keys import Key, canonical_json, key_of
from optical_cli.config.engines import STRUCTURE, STRUCTURES
from optical_cli.data.absent import MARK

Folders = Mapping[str, Path]
"""Folders of the artifacts that a step reads, by the names of its inputs."""
Build = Callable[[Path, Folders], Health]
"""Fills a folder, given those of the inputs, and returns the health for the manifest."""


class Stage(NamedTuple):
    """The cache folder of the artifacts, and a version: raised when equal settings give another artifact."""

    kind: str
    version: int


STAGES = {
    "encodings": Stage("encodings", 3),
    "start": Stage("checkpoints", 2),
    "distill": Stage("checkpoints", 3),
    "average": Stage("checkpoints", 1),
    "index": Stage("indexes", 1),
    "retrieve": Stage("runs", 2),
    "bm25": Stage("runs", 1),
    "translate": Stage("translations", 1),
    "evaluate": Stage("scores", 1),
    "align": Stage("alignments", 1),
    **{structure.stage: Stage(STRUCTURE, structure.version) for structure in STRUCTURES.values()},
}


@dataclass(frozen=True)
class Step:
    """An artifact that is there or can be made.

    Attributes:
        kind: its folder in the cache.
        inputs: the steps whose artifacts it reads.
        together: whether all processes of a command work on it; else the first does, and the others wait.
    """

    kind: str
    label: str
    key: Key
    build: Build = field(compare=False)
    inputs: Mapping[str, "Step"] = field(default_factory=dict, compare=False)
    together: bool = False

    @property
    def address(self) -> tuple[str, Key]:
        """Where a cache has it."""
        return self.kind, self.key

    def with_inputs(self) -> Iterator["Step"]:
        """The steps this one stands on, deepest first, and itself."""
        for step in self.inputs.values():
            yield from step.with_inputs()
        yield self

    def upstream(self, name: str) -> "Step | None":
        """The nearest input of a name, such as `checkpoint`, of this step or of one it stands on; None without one."""
        below = (step.upstream(name) for step in self.inputs.values())
        return self.inputs.get(name) or next(filter(None, below), None)

    @property
    def known(self) -> bool:
        """Whether its key is one: not if data that it stands on was not here to be read."""
        return MARK not in canonical_json(self.key.material) and all(step.known for step in self.inputs.values())


def make_step(
    stage: str,
    label: str,
    material: Mapping[str, Any],
    build: Build,
    inputs: Mapping[str, Step] | None = None,
    *,
    together: bool = False,
) -> Step:
    """The step of a stage, keyed by its material: every setting, input key and fingerprint that can change it."""
    key = key_of({"stage": stage, "version": STAGES[stage].version, **material})
    return Step(STAGES[stage].kind, label, key, build, inputs or {}, together)
