"""Whether what reg does depends on the pair."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optical_cli.artifacts.result import Result, Setting
from optical_cli.report.findings.group import Group, RngOf
from optical_cli.report.statistics.interaction import interaction
from optical_cli.report.statistics.seed_interaction import seed_interaction

ALPHA = 0.05


@dataclass(frozen=True)
class Interaction:
    """The test of reg by pair among the pairs of one corpus mode.

    Attributes:
        corpus: the corpus mode; pooled and full figures do not compare.
        pairs: that were compared.
        settings: the values of reg that all of them have.
        same_topics: whether all have the same topics, which were then kept together.
        p: of no interaction, by the permutation test over topics, on means over seeds.
        p_seeds: the same by the F test over the seeds that all have; None if there are not two.
    """

    corpus: str
    pairs: tuple[str, ...]
    settings: tuple[Setting, ...]
    same_topics: bool
    p: float
    p_seeds: float | None

    @property
    def shown(self) -> bool:
        """Whether both tests say so, or the one there is."""
        return self.p < ALPHA and (self.p_seeds is None or self.p_seeds < ALPHA)


def interactions(groups: Sequence[Group], measure: str, rng_of: RngOf) -> tuple[Interaction, ...]:
    """One test for each corpus mode that has two pairs with two values of reg in common."""
    found = []
    for corpus in dict.fromkeys(group.corpus for group in groups):
        own = [group for group in groups if group.corpus == corpus and group.regs and len(group.topics) > 1]
        shared = [setting for setting in own[0].regs if all(setting in group.results for group in own)] if own else []
        if len(own) < 2 or len(shared) < 2:
            continue
        same_topics = len({group.topics for group in own}) == 1
        p = interaction(
            [group.means(shared, measure) for group in own], rng_of("interaction", own[0]), same_topics=same_topics
        )
        p_seeds = _over_seeds(own, shared, measure)
        found.append(Interaction(corpus, tuple(group.pair for group in own), tuple(shared), same_topics, p, p_seeds))
    return tuple(found)


def _over_seeds(groups: Sequence[Group], settings: Sequence[Setting], measure: str) -> float | None:
    """The F test over the seeds of which every cell has scores."""
    cells = [[group.results[setting] for setting in settings] for group in groups]
    seeds = sorted(set.intersection(*(set(cell) for row in cells for cell in row)))
    if len(seeds) < 2:
        return None
    return seed_interaction(
        np.array([[[_mean(cell[seed], measure) for cell in row] for row in cells] for seed in seeds])
    )


def _mean(result: Result, measure: str) -> float:
    value = result.value(measure)
    return math.nan if value is None else value
