"""Artifacts computed once more from what they were made of, and compared byte for byte."""

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal

from optical_cli.cache.artifact import KINDS, Artifact
from optical_cli.cache.store import UNFINISHED, Cache
from optical_cli.errors import CacheError, OpticalError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.step import Step
from optical_cli.plan.planned import steps_of
from optical_cli.progress import Progress
from optical_cli.reproduce.differences import differences

State = Literal["same", "differs", "damaged", "failed", "not verified"]
WRONG: tuple[State, ...] = ("differs", "damaged", "failed")
"""What is not as it should be."""


@dataclass(frozen=True)
class Verified:
    """An artifact of the cache beside what came out now.

    Attributes:
        step: whose artifact it is.
        state: `same` bytes in every file; `differs`; `damaged`: it is not what its own manifest says, so it was not
            compared; `failed`: it could not be computed; `not verified`: what it was made of is not in the cache, or
            damaged.
        reasons: what differs, a line each, or why it is not `same`.
        seconds: that it took.
    """

    step: Step
    state: State
    reasons: tuple[str, ...]
    seconds: float


def verify_scores(pipeline: Pipeline, scratch: Path) -> Iterator[Verified]:
    """The scores that the cache holds of an experiment, each measured anew from its run.

    Args:
        pipeline: of the experiment.
        scratch: an empty folder; nothing is left there.
    """
    yield from _verify(pipeline, pipeline, ("scores",), scratch)


def verify_stages(
    pipeline: Pipeline, device: str, progress: Progress, scratch: Path, kinds: Collection[str] = KINDS
) -> Iterator[Verified]:
    """Artifacts, each computed anew from the sound artifacts of the cache that it was made of.

    One stage at a time, so that a difference is told where it begins. Nothing but the precision that was measured on
    this machine is taken over: encodings are not copied from like ones, and no savepoint is gone on with.

    Args:
        pipeline: of the experiment.
        device: a torch device, or `auto`.
        progress: hears how far the work is.
        scratch: an empty folder with room for the largest of them.
        kinds: of artifacts.

    Raises:
        DataError: an input cannot be used.
    """
    root = scratch / "cache"
    if (machines := pipeline.cache.root / "machines").is_dir():
        shutil.copytree(machines, root / "machines")
    twin = Pipeline(pipeline.experiment, Cache(root), device, progress)
    twin.check()
    yield from _verify(pipeline, twin, kinds, scratch)


class _Sound:
    """The artifacts of a cache that are there whole, every byte of each looked at once."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._seen: dict[str, tuple[Artifact | None, tuple[str, ...]]] = {}

    def look(self, step: Step) -> tuple[Artifact | None, tuple[str, ...]]:
        """The artifact of a step, if it is there and whole, and else what is damaged, a line each."""
        if step.key.digest not in self._seen:
            self._seen[step.key.digest] = self._look(step)
        return self._seen[step.key.digest]

    def _look(self, step: Step) -> tuple[Artifact | None, tuple[str, ...]]:
        try:
            found = self._cache.find(*step.address)
            faults = [] if found is None else found.faults()
        except CacheError as error:
            return None, tuple(str(error).splitlines())
        return (None if faults else found), tuple(faults)


def _verify(pipeline: Pipeline, twin: Pipeline, kinds: Collection[str], scratch: Path) -> Iterator[Verified]:
    """What the cache of a pipeline holds, computed by a twin that may have another cache."""
    sound = _Sound(pipeline.cache)
    for step, _ in steps_of(twin):
        if step.kind not in kinds:
            continue
        artifact, damage = sound.look(step)
        if damage:
            yield Verified(step, "damaged", damage, 0.0)
        if artifact is None:
            continue
        inputs = {name: found.folder for name, one in step.inputs.items() if (found := sound.look(one)[0])}
        if unsound := [f"{one.kind}/{one.label}" for name, one in step.inputs.items() if name not in inputs]:
            said = f"made of {', '.join(unsound)}, which the cache does not hold, or not whole"
            yield Verified(step, "not verified", (said,), 0.0)
        else:
            yield _compared(artifact, step, inputs, scratch)
        shutil.rmtree(scratch / "cache" / UNFINISHED, ignore_errors=True)


def _compared(artifact: Artifact, step: Step, inputs: dict[str, Path], scratch: Path) -> Verified:
    folder, begin = scratch / artifact.folder.name, monotonic()
    folder.mkdir()
    try:
        step.build(folder, inputs)
        reasons = tuple(differences(artifact, folder))
    except (OpticalError, RuntimeError, MemoryError, OSError) as error:
        said = str(error) if isinstance(error, OpticalError) else f"{type(error).__name__}: {error}"
        return Verified(step, "failed", (said,), monotonic() - begin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Verified(step, "differs" if reasons else "same", reasons, monotonic() - begin)
