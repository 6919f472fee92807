"""The steps of an experiment: which the cache holds, which are to be made, and how long these will take."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
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
    """Every step of the experiment once, in the order in which it would be made."""
    return [Planned(step, cell, pipeline.cache.find(*step.address)) for step, cell in steps_of(pipeline)]


def steps_of(pipeline: Pipeline) -> Iterator[tuple[Step, Cell]]:
    """Each step with the first cell that needs it, without a look into the cache."""
    seen: set[str] = set()
    for cell in pipeline.cells:
        for step in pipeline.scores(cell).with_inputs():
            if step.key.digest not in seen:
                seen.add(step.key.digest)
                yield step, cell


@dataclass(frozen=True)
class Left:
    """How many artifacts are still to be made, the estimated seconds of some of them, and how many are without one."""

    artifacts: int
    seconds: float
    unknown: int


class TimeEstimator:
    """Which steps are to be made, and how long they will take.

    The estimate is the median of what steps of the same stage took for the same pair, else for any pair: the first
    compiles and warms up.
    """

    def __init__(self, planned: Iterable[Planned], cache: Cache) -> None:
        self._cache = cache
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._to_make: dict[str, Planned] = {}
        for one in planned:
            if one.artifact is None:
                self._to_make[one.step.key.digest] = one
            else:
                self._learn(one, one.artifact)

    def settle(self, cell: Cell) -> None:
        """Take the steps that a cell is the first to need off the list: they were made, or could not be."""
        for one in [one for one in self._to_make.values() if one.cell == cell]:
            del self._to_make[one.step.key.digest]
            with suppress(OpticalError):  # the cell has failed, and says so
                if artifact := self._cache.find(*one.step.address):
                    self._learn(one, artifact)

    @property
    def left(self) -> Left:
        """What is still to be made, at the pace so far."""
        found = [self.seconds_for(one) for one in self._to_make.values()]
        known = [seconds for seconds in found if seconds is not None]
        return Left(len(found), sum(known), len(found) - len(known))

    def seconds_for(self, planned: Planned) -> float | None:
        """Estimate for a step; None if nothing like it was made."""
        return next((median(self._seconds[like]) for like in _likes(planned) if like in self._seconds), None)

    def _learn(self, planned: Planned, artifact: Artifact) -> None:
        for like in _likes(planned):
            self._seconds[like].append(float(artifact.manifest["seconds"]))


def _likes(planned: Planned) -> tuple[tuple[str, str], ...]:
    """What a step is like, the nearest first."""
    stage = planned.step.key.material["stage"]
    return (stage, planned.cell.pair), (stage, "")
