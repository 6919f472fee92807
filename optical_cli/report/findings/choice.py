"""Which reg would be chosen without looking at the topics it is then scored on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings.group import Group, RngOf
from optical_cli.report.statistics.cross_fit import cross_fit

RULERS: Mapping[str, tuple[str, int]] = {"p@1": ("P@1", 1), "transport_cost": ("transport cost", -1)}
"""Figures on the held-out bitext: how they are called, and 1 where more is better."""


@dataclass(frozen=True)
class BitextChoice:
    """The reg whose students are best on the held-out bitext; no topic had a part in it."""

    ruler: str
    setting: Setting
    score: float  # on all topics


@dataclass(frozen=True)
class Choice:
    """What choosing reg is worth on one pair.

    Attributes:
        pair: of languages.
        corpus: the corpus mode.
        shares: in which share of the choices on four fifths of the topics each reg was taken, the most taken first.
        score: of what was chosen, on the fifth that had no part in it: the mean over topics and repeats.
        best: the reg that is best on all topics.
        best_score: its score on them.
        by_bitext: choices on the held-out bitext.
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
        """By how much the best on all topics looks better than a choice would have been."""
        return self.best_score - self.score


def choose(group: Group, measure: str, rng_of: RngOf) -> Choice | None:
    """The choice among the values of reg of a pair; None with fewer than two, or than two topics."""
    regs = group.regs
    if len(regs) < 2 or len(group.topics) < 2:
        return None
    scores = group.means(regs, measure)
    fit = cross_fit(scores, rng_of("choice", group))
    means = dict(zip(regs, map(float, scores.mean(axis=0)), strict=True))
    taken = sorted(zip(regs, map(float, fit.shares), strict=True), key=lambda pair: -pair[1])
    return Choice(
        pair=group.pair,
        corpus=group.corpus,
        shares=tuple((setting, share) for setting, share in taken if share),
        score=fit.score,
        best=regs[fit.best],
        best_score=means[regs[fit.best]],
        by_bitext=tuple(_by_bitext(group, means)),
    )


def _by_bitext(group: Group, means: Mapping[Setting, float]) -> list[BitextChoice]:
    """A choice for each ruler that every value of reg was measured by."""
    chosen = []
    for name, (label, sign) in RULERS.items():
        figures = {setting: _held_out(group, setting, name) for setting in means}
        if not any(math.isnan(figure) for figure in figures.values()):
            best = max(figures, key=lambda setting: sign * figures[setting])
            chosen.append(BitextChoice(label, best, means[best]))
    return chosen


def _held_out(group: Group, setting: Setting, name: str) -> float:
    """The mean over the seeds; nan if one lacks it."""
    results = group.results[setting].values()
    return math.fsum((result.held_out or {}).get(name, math.nan) for result in results) / len(results)
