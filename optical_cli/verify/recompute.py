"""Artifacts computed once more from what they were made of, and compared byte for byte."""

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Literal

from optical_cli.cache.store import KINDS, UNFINISHED, Artifact, Cache
from optical_cli.errors import OpticalError
from optical_cli.pipeline import Pipeline
from optical_cli.progress import Progress
from optical_cli.step import Step
from optical_cli.sweep import plan
from optical_cli.verify.differences import differences

State = Literal["same", "differs", "damaged", "failed", "not verified"]
WRONG: tuple[State, ...] = ("differs", "damaged", "failed")
"""What is not as it should be."""


@dataclass(frozen=True)
class Verified:
    """An artifact of the cache beside what came out now.

    Attributes:
        artifact: in the cache.
        state: `same` bytes in every file; `differs`; `damaged`: it is not what its own manifest says, so it was not
            compared; `failed`: it could not be computed; `not verified`: what it was made of is not in the cache, or
            damaged.
        reasons: what differs, a line each, or why it is not `same`.
        seconds: that it took.
    """

    artifact: Artifact
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


def _verify(pipeline: Pipeline, twin: Pipeline, kinds: Collection[str], scratch: Path) -> Iterator[Verified]:
    """What the cache of a pipeline holds, computed by a twin that may have another cache."""
    builders = {planned.step.key.digest: planned.step for planned in plan(twin)}
    there = {planned.step.key.digest: planned.artifact for planned in plan(pipeline) if planned.artifact is not None}

    @cache
    def faults(digest: str) -> tuple[str, ...]:
        return tuple(pipeline.cache.verify(there[digest])) if digest in there else ("not in the cache",)

    for digest, artifact in there.items():
        step = builders[digest]
        if artifact.kind not in kinds:
            continue
        if faults(digest):
            yield Verified(artifact, "damaged", faults(digest), 0.0)
        elif unsound := [f"{one.kind}/{one.label}" for one in step.inputs.values() if faults(one.key.digest)]:
            said = f"made of {', '.join(unsound)}, which the cache does not hold, or not whole"
            yield Verified(artifact, "not verified", (said,), 0.0)
        else:
            inputs = {name: there[one.key.digest].folder for name, one in step.inputs.items()}
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
        return Verified(artifact, "failed", (said,), monotonic() - begin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Verified(artifact, "differs" if reasons else "same", reasons, monotonic() - begin)
