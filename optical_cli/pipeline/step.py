"""Steps of the pipeline: artifacts that are in the cache or can be made, and the stages that make them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from optical_cli.cache.artifact import Health
from optical_cli.cache.keys import Key, canonical_json, key_of
from optical_cli.config.engines import STRUCTURE, STRUCTURES
from optical_cli.data.absent import MARK

Folders = Mapping[str, Path]
"""Folders of the artifacts that a step reads, by the name of the input."""
Build = Callable[[Path, Folders], Health]
"""Function that fills a folder, given the folders of the inputs, and returns the health for the manifest."""


class Stage(NamedTuple):
    """A stage of the pipeline."""

    kind: str  # folder of its artifacts in the cache
    version: int  # raised when equal settings give another artifact


STAGES = {
    "encodings": Stage("encodings", 3),
    "states": Stage("states", 1),
    "start": Stage("checkpoints", 2),
    "strength": Stage("strengths", 1),
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
    """An artifact that is in the cache or can be made.

    Attributes:
        kind: folder of the artifact's kind in the cache.
        label: name for people, part of the folder name.
        build: makes the artifact.
        inputs: steps whose artifacts are read, by name.
        together: whether all processes of a command make it together. If not, the first process makes it.
    """

    kind: str
    label: str
    key: Key
    build: Build = field(compare=False)
    inputs: Mapping[str, "Step"] = field(default_factory=dict, compare=False)
    together: bool = False

    @property
    def address(self) -> tuple[str, Key]:
        """Kind and key, the arguments of `Cache.find`."""
        return self.kind, self.key

    def with_inputs(self) -> Iterator["Step"]:
        """Iterate over all steps that this step depends on, inputs first, and the step itself."""
        for step in self.inputs.values():
            yield from step.with_inputs()
        yield self

    def upstream(self, name: str) -> "Step | None":
        """Return the nearest step with an input name such as `checkpoint`, among all inputs; None if there is none."""
        below = (step.upstream(name) for step in self.inputs.values())
        return self.inputs.get(name) or next(filter(None, below), None)

    @property
    def known(self) -> bool:
        """Whether the key is known: it is not if input data is missing on this machine."""
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
    """Make the step of a stage; `material` has every setting, input key and fingerprint that can change the result."""
    key = key_of({"stage": stage, "version": STAGES[stage].version, **material})
    return Step(STAGES[stage].kind, label, key, build, inputs or {}, together)
