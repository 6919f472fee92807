"""The steps of an experiment, which of them are cached, and the estimated time of the others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.errors import OpticalError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.step import Step


@dataclass(frozen=True)
class Planned:
    """A step of an experiment, the first cell that needs it, and its artifact if the cache holds it."""

    step: Step
    cell: Cell
    artifact: Artifact | None


def plan(pipeline: Pipeline) -> list[Planned]:
    """Return every step of the experiment once, in the order of making them."""
    return [Planned(step, cell, pipeline.cache.find(*step.address)) for step, cell in steps_of(pipeline)]


def steps_of(pipeline: Pipeline) -> Iterator[tuple[Step, Cell]]:
    """Yield each step once, with the first cell that needs it; does not read the cache."""
    seen: set[str] = set()
    for cell in pipeline.cells:
        for step in pipeline.scores(cell).with_inputs():
            if step.key.digest not in seen:
                seen.add(step.key.digest)
                yield step, cell


@dataclass(frozen=True)
class Left:
    """The artifacts that are still missing, and the time they will take."""

    artifacts: int
    seconds: float  # of those with an estimate
    unknown: int  # artifacts without an estimate


class TimeEstimator:
    """The steps that are still to make, and estimates of their time.

    An estimate is the median time of the cached steps of the same stage and pair, or else of the same stage; a median,
    as the first step also compiles and warms up. Of a step that has an expectation, it is the expectation, times the
    median factor by which such steps took longer than expected.

    Args:
        planned: the steps of an experiment.
        cache: where they are made.
        expected: expected seconds, by the digest of a step's key.
    """

    def __init__(self, planned: Iterable[Planned], cache: Cache, expected: Mapping[str, float] | None = None) -> None:
        self._cache = cache
        self._expected = expected or {}
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._factors: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._to_make: dict[str, Planned] = {}
        for one in planned:
            if one.artifact is None:
                self._to_make[one.step.key.digest] = one
            else:
                self._learn(one, one.artifact)

    def settle(self, cell: Cell) -> None:
        """Drop the steps that a finished or failed cell was the first to need, and learn from their times."""
        for one in [one for one in self._to_make.values() if one.cell == cell]:
            del self._to_make[one.step.key.digest]
            with suppress(OpticalError):  # the failure of the cell is reported elsewhere
                if artifact := self._cache.find(*one.step.address):
                    self._learn(one, artifact)

    @property
    def left(self) -> Left:
        """The artifacts that are still missing, with the time they take at the speed so far."""
        found = [self.seconds_for(one) for one in self._to_make.values()]
        known = [seconds for seconds in found if seconds is not None]
        return Left(len(found), sum(known), len(found) - len(known))

    def seconds_for(self, planned: Planned) -> float | None:
        """Estimate the seconds of a step; None if nothing is expected and no similar step is in the cache."""
        expected = self._expected.get(planned.step.key.digest)
        if expected is None:
            return _median_of_likes(self._seconds, planned)
        factor = _median_of_likes(self._factors, planned)
        return expected if factor is None else expected * factor

    def _learn(self, planned: Planned, artifact: Artifact) -> None:
        seconds, expected = float(artifact.manifest["seconds"]), self._expected.get(planned.step.key.digest)
        for like in _likes(planned):
            self._seconds[like].append(seconds)
            if expected:
                self._factors[like].append(seconds / expected)


def _median_of_likes(learned: Mapping[tuple[str, str], list[float]], planned: Planned) -> float | None:
    """Return the median of what was learned of the most similar steps; None if nothing was."""
    return next((median(learned[like]) for like in _likes(planned) if like in learned), None)


def _likes(planned: Planned) -> tuple[tuple[str, str], ...]:
    """Return the keys under which similar steps are learned, the most similar first."""
    stage = planned.step.key.material["stage"]
    return (stage, planned.cell.pair), (stage, "")
