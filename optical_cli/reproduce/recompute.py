"""Recompute artifacts from their inputs, and compare them byte for byte with those in the cache."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from optical_cli.artifacts.scores import read_scores
from optical_cli.artifacts.token_store import TokenStore, is_of_tokens
from optical_cli.cache.artifact import KINDS, Artifact
from optical_cli.cache.fingerprints import sha256_of_file
from optical_cli.cache.store import UNFINISHED, Cache
from optical_cli.errors import CacheError, OpticalError, several
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.step import Step
from optical_cli.plan.planned import steps_of
from optical_cli.progress import Progress

State = Literal["same", "differs", "damaged", "failed", "not verified"]
"""`same`: every file is identical; `differs`: some file is not; `damaged`: the files are not as in their manifest, and
were not compared; `failed`: could not be computed; `not verified`: an input is damaged or not in the cache."""
WRONG: tuple[State, ...] = ("differs", "damaged", "failed")


@dataclass(frozen=True)
class Verified:
    """The result of recomputing an artifact."""

    step: Step
    state: State
    reasons: tuple[str, ...]  # unless the state is `same`, a line each
    seconds: float


def verify_scores(pipeline: Pipeline, scratch: Path) -> Iterator[Verified]:
    """Measure the cached scores of an experiment again from their runs; `scratch` is an empty folder."""
    yield from _verify(pipeline, pipeline, ("scores",), scratch)


def verify_stages(
    pipeline: Pipeline, device: str, progress: Progress, scratch: Path, kinds: Collection[str] = KINDS
) -> Iterator[Verified]:
    """Recompute the artifacts of an experiment, each from its cached inputs, so that a difference shows at its origin.

    Similar encodings and savepoints of trainings are not reused. `scratch` is an empty folder with room for the largest
    artifact.
    """
    root = scratch / "cache"
    if (machines := pipeline.cache.root / "machines").is_dir():
        shutil.copytree(machines, root / "machines")
    twin = Pipeline(pipeline.experiment, Cache(root), device, progress)
    twin.check()
    yield from _verify(pipeline, twin, kinds, scratch)


class _Sound:
    """The undamaged artifacts of a cache; the files of each are checked once."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._seen: dict[str, tuple[Artifact | None, tuple[str, ...]]] = {}

    def look(self, step: Step) -> tuple[Artifact | None, tuple[str, ...]]:
        """Return the artifact of a step, None if it is missing or damaged, and the damage, a line each."""
        if step.key.digest not in self._seen:
            try:
                found = self._cache.find(*step.address)
                faults = () if found is None else tuple(found.faults())
            except CacheError as error:
                found, faults = None, tuple(str(error).splitlines())
            self._seen[step.key.digest] = None if faults else found, faults
        return self._seen[step.key.digest]


def _verify(pipeline: Pipeline, twin: Pipeline, kinds: Collection[str], scratch: Path) -> Iterator[Verified]:
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
            reason = f"inputs are damaged or not in the cache: {', '.join(unsound)}"
            yield Verified(step, "not verified", (reason,), 0.0)
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
        reason = str(error) if isinstance(error, OpticalError) else f"{type(error).__name__}: {error}"
        return Verified(step, "failed", (reason,), monotonic() - begin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Verified(step, "differs" if reasons else "same", reasons, monotonic() - begin)


def differences(artifact: Artifact, made: Path) -> Iterator[str]:
    """Yield a line for each file of a new folder that differs from the manifest of a cached artifact."""
    expected = {name: str(recorded["sha256"]) for name, recorded in artifact.manifest["files"].items()}
    found = {str(path.relative_to(made)): path for path in sorted(made.rglob("*")) if path.is_file()}
    for name in sorted({*expected, *found}):
        if name not in found:
            yield f"{name}: is in the cache, but was not made again"
        elif name not in expected:
            yield f"{name}: was made, but is not in the cache"
        elif sha256_of_file(found[name]) != expected[name]:
            yield f"{name}: {_how_far(artifact.folder / name, found[name])}"


def _how_far(stored: Path, made: Path) -> str:
    if stored.name == "scores.json":
        return _of_means(read_scores(stored).means, read_scores(made).means)
    if stored.suffix in (".trec", ".jsonl"):
        with stored.open("rb") as before, made.open("rb") as now:
            alike = [one == other for one, other in zip_longest(before, now)]
        return f"{alike.count(False)} of {several(len(alike), 'line')} differ"
    if is_of_tokens(stored) or stored.suffix == ".safetensors":
        return _of_numbers(_numbers(stored), _numbers(made))
    return "the bytes differ"


def _numbers(path: Path) -> dict[str, Any]:
    """Read the vectors of a token store, or the weights of a model."""
    if path.suffix != ".safetensors":
        store = TokenStore.open(path.parent, path.stem)
        return {"tokens": store.vectors(0, store.tokens).numpy()}
    import torch
    from safetensors.torch import load_file

    return {name: weight.to(torch.float32).numpy() for name, weight in load_file(path).items()}


def _of_means(stored: Mapping[str, float], made: Mapping[str, float]) -> str:
    changed = {name: value for name, value in stored.items() if made.get(name, value) != value}
    moved = [f"{name} {value:.6f} in the cache, {made[name]:.6f} recomputed" for name, value in changed.items()]
    return ", ".join(moved) or "equal means, but scores of topics differ"


def _of_numbers(stored: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    import numpy as np

    if {name: one.shape for name, one in stored.items()} != {name: one.shape for name, one in made.items()}:
        return "the shapes differ"
    off = [np.abs(one.astype(np.float64) - made[name].astype(np.float64)) for name, one in stored.items()]
    count, other = sum(one.size for one in off), sum(int((one > 0).sum()) for one in off)
    most = max(float(one.max(initial=0)) for one in off)
    return f"{other / count:.1%} of {several(count, 'number')} differ, by {most:.1e} at most"
