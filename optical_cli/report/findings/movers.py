"""The topics that gained and lost most."""

from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings.choice import Choice
from optical_cli.report.findings.group import Group

SHOWN = 5


@dataclass(frozen=True)
class Mover:
    """A topic and both its scores, means over the seeds."""

    topic: str
    score: float
    reference_score: float

    @property
    def difference(self) -> float:
        """Above 0 for a gain."""
        return self.score - self.reference_score


@dataclass(frozen=True)
class Movers:
    """The topics of a pair that gained and lost most by the reg that was chosen most often."""

    pair: str
    corpus: str
    setting: Setting
    reference: Setting
    gained: tuple[Mover, ...]
    lost: tuple[Mover, ...]


def movers(group: Group, choice: Choice, references: Sequence[Setting], measure: str) -> Movers | None:
    """The chosen reg against the last reference that the pair has and that is another one; None without any."""
    setting = choice.shares[0][0]
    there = [reference for reference in references if reference in group.results and reference != setting]
    if not there:
        return None
    moved = by_difference(group, setting, there[-1], measure)
    gained = tuple(mover for mover in moved[:SHOWN] if mover.difference > 0)
    lost = tuple(mover for mover in moved[: -SHOWN - 1 : -1] if mover.difference < 0)
    return Movers(group.pair, group.corpus, setting, there[-1], gained, lost)


def by_difference(group: Group, setting: Setting, reference: Setting, measure: str) -> list[Mover]:
    """Every topic, the largest gain first and the largest loss last."""
    own, others = group.means([setting, reference], measure).T
    topics = zip(group.topics, own, others, strict=True)
    moved = [Mover(topic, float(score), float(other)) for topic, score, other in topics]
    return sorted(moved, key=lambda mover: (-mover.difference, mover.topic))
