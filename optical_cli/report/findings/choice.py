"""Choosing reg: the score of a choice without the scored topics, and the topics that the chosen reg moves."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings.comparison import Mover, by_difference
from optical_cli.report.findings.group import Group, RngOf
from optical_cli.report.statistics import cross_fit

RULERS: Mapping[str, tuple[str, int]] = {"p@1": ("P@1", 1), "transport_cost": ("transport cost", -1)}
"""Figures on the held-out bitext: label, and 1 if higher is better, -1 if lower is."""
SHOWN_MOVERS = 5


@dataclass(frozen=True)
class BitextChoice:
    """The reg whose students are best on the held-out bitext.

    Attributes:
        ruler: The figure on the held-out bitext: `P@1` or `transport cost`.
        score: Mean of the tested measure over all topics.
    """

    ruler: str
    setting: Setting
    score: float


@dataclass(frozen=True)
class Choice:
    """What choosing reg is worth on a pair and corpus mode.

    Attributes:
        shares: How often each reg was chosen on four fifths of the topics, most often first; they sum to 1.
        score: Score of the chosen reg on the other fifth, the mean over topics and repeats.
        best: The best reg on all topics.
    """

    pair: str
    corpus: str
    shares: tuple[tuple[Setting, float], ...]
    score: float
    best: Setting
    best_score: float
    by_bitext: tuple[BitextChoice, ...]

    @property
    def flattered(self) -> float:
        """How far the mean of the best reg on all topics is above the score of a choice."""
        return self.best_score - self.score


def choose(group: Group, measure: str, rng_of: RngOf) -> Choice | None:
    """Choose among the values of reg of a pair; None with fewer than two of them, or fewer than two topics."""
    regs = group.regs
    if len(regs) < 2 or len(group.topics) < 2:
        return None
    scores = group.means(regs, measure)
    fit = cross_fit(scores, rng_of("choice", group))
    means = dict(zip(regs, scores.mean(axis=0).tolist(), strict=True))
    taken = sorted(zip(regs, fit.shares.tolist(), strict=True), key=lambda pair: -pair[1])
    shares = tuple((setting, share) for setting, share in taken if share)
    best = regs[fit.best]
    return Choice(group.pair, group.corpus, shares, fit.score, best, means[best], tuple(_by_bitext(group, means)))


def _by_bitext(group: Group, means: Mapping[Setting, float]) -> Iterator[BitextChoice]:
    for name, (label, sign) in RULERS.items():
        figures = {
            setting: fmean((one.held_out or {}).get(name, math.nan) for one in group.results[setting].values())
            for setting in means
        }
        if not math.isnan(sum(figures.values())):
            best = max(figures, key=lambda setting: sign * figures[setting])
            yield BitextChoice(label, best, means[best])


@dataclass(frozen=True)
class Movers:
    """The topics of a pair that change most from a reference to the most often chosen reg."""

    pair: str
    corpus: str
    setting: Setting
    reference: Setting
    gained: tuple[Mover, ...]
    lost: tuple[Mover, ...]


def movers(group: Group, choice: Choice, references: Sequence[Setting], measure: str) -> Movers | None:
    """Compare the most often chosen reg with the last other reference that the pair has; None without one."""
    setting = choice.shares[0][0]
    there = [reference for reference in references if reference in group.results and reference != setting]
    if not there:
        return None
    moved = by_difference(group, setting, there[-1], measure)
    gained = tuple(mover for mover in moved[:SHOWN_MOVERS] if mover.difference > 0)
    lost = tuple(mover for mover in moved[: -SHOWN_MOVERS - 1 : -1] if mover.difference < 0)
    return Movers(group.pair, group.corpus, setting, there[-1], gained, lost)
