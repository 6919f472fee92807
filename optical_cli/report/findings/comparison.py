"""A setting against a reference: test, interval, effect size, detectable difference, and the topics behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

import numpy as np

from optical_cli.artifacts.result import Result, Setting
from optical_cli.report.findings.group import Group, RngOf, groups_of, rng_of
from optical_cli.report.statistics import (
    ALPHA,
    bootstrap_intervals,
    effect_size,
    equivalence,
    holm,
    sign_flip,
    smallest_difference,
)

ABOVE, BELOW, EQUIVALENT = "▲", "▼", "≡"


@dataclass(frozen=True)
class Comparison:
    """A setting less a reference, on a pair and corpus mode.

    Attributes:
        difference: Difference of the means.
        low: Lower end of the 95 % interval of the difference over topics and seeds.
        high: Upper end of that interval.
        effect: d_z of the topics' differences, means over seeds.
        p: P value of the randomization test over topics, on means over seeds.
        corrected: P value after Holm's correction over all comparisons of the report.
        smallest: Detectable difference: found with 80 % power by these topics and seeds, uncorrected.
        wins: Number of topics on which the setting is higher.
        losses: Number of topics on which it is lower.
        seeds: Number of seeds that were compared.
        agreeing: Number of seeds whose difference has the sign of `difference`.
        margin: Largest difference that is too small to matter; None if equivalence is not tested.
        p_equivalent: P value of the two one-sided tests that the difference is within the margin; None without one.
        corrected_equivalent: That p after Holm's correction over all comparisons of the report.
    """

    pair: str
    corpus: str
    setting: Setting
    reference: Setting
    difference: float
    low: float
    high: float
    effect: float
    p: float
    corrected: float
    smallest: float
    wins: int
    losses: int
    seeds: int
    agreeing: int
    margin: float | None = None
    p_equivalent: float | None = None
    corrected_equivalent: float | None = None

    @property
    def equivalent(self) -> bool:
        """Whether the difference is shown to be within the margin: the corrected p is below 0.05."""
        return self.corrected_equivalent is not None and self.corrected_equivalent < ALPHA

    @property
    def mark(self) -> str:
        """▲ or ▼ if the corrected p is below 0.05 and the interval leaves out 0, else nothing."""
        if self.corrected >= ALPHA:
            return ""
        return ABOVE if self.low > 0 else BELOW if self.high < 0 else ""


def compare(
    groups: Sequence[Group],
    wanted: Sequence[tuple[Setting, Setting]],
    measure: str,
    rng_of: RngOf,
    margin: float | None = None,
) -> tuple[Comparison, ...]:
    """Compare each (setting, reference) on the pairs that have both, on two topics or more; p is corrected over all."""
    wide = [group for group in groups if len(group.topics) > 1]
    found = [one for group in wide for one in _of_group(group, wanted, measure, rng_of, margin)]
    corrected = holm(np.array([one.p for one in found]))
    found = [replace(one, corrected=p) for one, p in zip(found, corrected.tolist(), strict=True)]
    if margin is not None:
        alike = holm(np.array([one.p_equivalent for one in found], dtype=float))
        found = [replace(one, corrected_equivalent=p) for one, p in zip(found, alike.tolist(), strict=True)]
    return tuple(found)


def _of_group(
    group: Group, wanted: Sequence[tuple[Setting, Setting]], measure: str, rng_of: RngOf, margin: float | None
) -> list[Comparison]:
    named = [pair for pair in wanted if all(setting in group.results for setting in pair)]
    if not named:
        return []
    by_seed = [group.differences(setting, reference, measure) for setting, reference in named]
    over_seeds = [differences.mean(axis=1) for differences in by_seed]
    p_values = sign_flip(np.column_stack(over_seeds), rng_of("test", group))
    intervals = bootstrap_intervals(by_seed, rng_of("difference", group))
    return [
        Comparison(
            group.pair, group.corpus, setting, reference, difference=float(d.mean()), low=low, high=high,
            effect=effect_size(d), p=p, corrected=p, smallest=smallest_difference(seeds),
            wins=int((d > 0).sum()), losses=int((d < 0).sum()), seeds=seeds.shape[1],
            agreeing=int((np.sign(seeds.mean(axis=0)) == np.sign(d.mean())).sum()),
            margin=margin, p_equivalent=None if margin is None else equivalence(seeds, margin),
        )
        for (setting, reference), seeds, d, p, (low, high) in zip(
            named, by_seed, over_seeds, p_values.tolist(), intervals.tolist(), strict=True
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class Mover:
    """A topic and its scores under a setting and a reference, means over seeds."""

    topic: str
    score: float
    reference_score: float

    @property
    def difference(self) -> float:
        """Score less reference score: above 0 for a gain."""
        return self.score - self.reference_score


def by_difference(group: Group, setting: Setting, reference: Setting, measure: str) -> list[Mover]:
    """Return every topic, from the largest gain to the largest loss."""
    own, others = group.means([setting, reference], measure).T.tolist()
    moved = map(Mover, group.topics, own, others)
    return sorted(moved, key=lambda mover: (-mover.difference, mover.topic))


@dataclass(frozen=True)
class Duel:
    """A comparison on a pair, with all topics from the largest gain to the largest loss."""

    comparison: Comparison
    topics: tuple[Mover, ...]

    @property
    def mean(self) -> float:
        """Mean of the setting over topics and seeds."""
        return fmean(topic.score for topic in self.topics)

    @property
    def reference_mean(self) -> float:
        """Mean of the reference over topics and seeds."""
        return fmean(topic.reference_score for topic in self.topics)


def duels(
    results: Sequence[Result],
    setting: Setting,
    reference: Setting,
    measure: str,
    seed: int,
    margin: float | None = None,
) -> tuple[Duel, ...]:
    """Compare two settings on each pair that has scores of both; p is corrected over the pairs."""
    groups = groups_of(results)
    compared = compare(groups, [(setting, reference)], measure, partial(rng_of, seed), margin)
    group_of = {(group.pair, group.corpus): group for group in groups}
    return tuple(
        Duel(one, tuple(by_difference(group_of[one.pair, one.corpus], setting, reference, measure))) for one in compared
    )
