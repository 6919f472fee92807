"""Two settings against each other, topic by topic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from optical_cli.artifacts.result import Result, Setting
from optical_cli.report.findings.comparison import Comparison, compare
from optical_cli.report.findings.group import groups_of, rng_of
from optical_cli.report.findings.movers import Mover, by_difference


@dataclass(frozen=True)
class Duel:
    """A comparison on one pair and every topic of it, the largest gain first."""

    comparison: Comparison
    topics: tuple[Mover, ...]

    @property
    def mean(self) -> float:
        """Of the setting, over topics and seeds."""
        return math.fsum(topic.score for topic in self.topics) / len(self.topics)

    @property
    def reference_mean(self) -> float:
        """Of the reference."""
        return math.fsum(topic.reference_score for topic in self.topics) / len(self.topics)


def duels(results: Sequence[Result], setting: Setting, reference: Setting, measure: str, seed: int) -> tuple[Duel, ...]:
    """One for each pair that has scores of both; the tests of all pairs are one family."""
    groups = groups_of(results)
    compared = compare(groups, [(setting, reference)], measure, partial(rng_of, seed))
    group_of = {(group.pair, group.corpus): group for group in groups}
    return tuple(
        Duel(one, tuple(by_difference(group_of[one.pair, one.corpus], setting, reference, measure))) for one in compared
    )
