"""A step of the pipeline: an artifact that is there or can be made."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Health
from optical_cli.cache.keys import Key, canonical_json, key_of
from optical_cli.data.absent import MARK

# Bumped when a stage's code changes what it computes from the same settings.
VERSIONS = {
    "encodings": 3,
    "start": 2,
    "distill": 3,
    "average": 1,
    "index": 1,
    "quantize": 1,
    "retrieve": 2,
    "bm25": 1,
    "translate": 1,
    "evaluate": 1,
    "align": 1,
}


@dataclass(frozen=True)
class Step:
    """An artifact that is there or can be made.

    Attributes:
        kind: its folder in the cache.
        label: what it is, readable.
        key: what it depends on.
        inputs: the steps whose artifacts it reads.
        build: fills a folder, given the folders of the inputs, and returns the health.
        together: whether all processes of a command work on it; else the first does, and the others wait.
    """

    kind: str
    label: str
    key: Key
    build: Callable[[Path, Mapping[str, Path]], Health] = field(compare=False)
    inputs: Mapping[str, "Step"] = field(default_factory=dict, compare=False)
    together: bool = False

    def with_inputs(self) -> Iterator["Step"]:
        """The steps this one stands on, deepest first, and itself."""
        for step in self.inputs.values():
            yield from step.with_inputs()
        yield self

    @property
    def known(self) -> bool:
        """Whether its key is one: not if data that it stands on was not here to be read."""
        return MARK not in canonical_json(self.key.material) and all(step.known for step in self.inputs.values())


def make_step(
    kind: str,
    stage: str,
    label: str,
    material: Mapping[str, Any],
    build: Callable[[Path, Mapping[str, Path]], Health],
    inputs: Mapping[str, Step] | None = None,
    *,
    together: bool = False,
) -> Step:
    """The step of a stage, keyed by its material: every setting, input key and fingerprint that can change it."""
    key = key_of({"stage": stage, "version": VERSIONS[stage], **material})
    return Step(kind, label, key, build, inputs or {}, together)
