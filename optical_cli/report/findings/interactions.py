"""Whether what reg does depends on the pair."""

from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.report.findings.group import Group, RngOf
from optical_cli.report.result import Setting
from optical_cli.statistics import interaction


@dataclass(frozen=True)
class Interaction:
    """The test of reg by pair among the pairs of one corpus mode.

    Attributes:
        corpus: the corpus mode; pooled and full figures do not compare.
        pairs: that were compared.
        settings: the values of reg that all of them have.
        same_topics: whether all have the same topics, which were then kept together.
        p: of no interaction.
    """

    corpus: str
    pairs: tuple[str, ...]
    settings: tuple[Setting, ...]
    same_topics: bool
    p: float


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
        found.append(Interaction(corpus, tuple(group.pair for group in own), tuple(shared), same_topics, p))
    return tuple(found)
