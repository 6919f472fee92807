"""How long what is left of an experiment will take, by how long the like of it took."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from optical_cli.cache.artifact import Artifact
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.step import Step


@dataclass(frozen=True)
class Planned:
    """A step of an experiment, the first cell that needs it, and its artifact, if the cache holds it."""

    step: Step
    cell: Cell
    artifact: Artifact | None


@dataclass(frozen=True)
class Left:
    """What is to be done yet.

    Attributes:
        artifacts: that are to be made.
        seconds: of those of which the like has been made, one after the other.
        unknown: how many are not among them.
    """

    artifacts: int
    seconds: float
    unknown: int


class Outlook:
    """Which steps are to be made, and the seconds of those that were.

    A step takes what steps of the same stage took for the same pair, else for any pair: the median, because the first
    of them compiles and warms up.

    Args:
        planned: every step of the experiment once.
    """

    def __init__(self, planned: Iterable[Planned]) -> None:
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._to_make: dict[str, Planned] = {}
        for one in planned:
            if one.artifact is None:
                self._to_make[one.step.key.digest] = one
            else:
                self._learn(one, one.artifact)

    def steps_of(self, cell: Cell) -> list[Planned]:
        """The steps to be made that a cell is the first to need."""
        return [one for one in self._to_make.values() if one.cell == cell]

    def settle(self, planned: Planned, artifact: Artifact | None) -> None:
        """A step has been made, or could not be (None)."""
        self._to_make.pop(planned.step.key.digest, None)
        if artifact is not None:
            self._learn(planned, artifact)

    @property
    def left(self) -> Left:
        """What is to be done yet, at the pace so far."""
        found = [self.expected(one) for one in self._to_make.values()]
        known = [seconds for seconds in found if seconds is not None]
        return Left(len(found), sum(known), len(found) - len(known))

    def _learn(self, planned: Planned, artifact: Artifact) -> None:
        for like in _likes(planned):
            self._seconds[like].append(float(artifact.manifest["seconds"]))

    def expected(self, planned: Planned) -> float | None:
        """The seconds that a step will take; None if nothing like it was made."""
        return next((median(self._seconds[like]) for like in _likes(planned) if like in self._seconds), None)


def _likes(planned: Planned) -> tuple[tuple[str, str], ...]:
    """What a step is like, the nearest first."""
    stage = planned.step.key.material["stage"]
    return (stage, planned.cell.pair), (stage, "")
