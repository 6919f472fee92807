"""Settings against references: test, interval, effect, and what could have been seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings.group import Group, RngOf
from optical_cli.report.statistics.bootstrap import bootstrap_intervals
from optical_cli.report.statistics.effect_size import effect_size
from optical_cli.report.statistics.holm import holm
from optical_cli.report.statistics.sign_flip import sign_flip
from optical_cli.report.statistics.smallest_difference import smallest_difference

ALPHA = 0.05
ABOVE, BELOW = "▲", "▼"


@dataclass(frozen=True)
class Comparison:
    """One setting less a reference, on one pair.

    Attributes:
        pair: of languages.
        corpus: the corpus mode.
        setting: what is compared.
        reference: with what.
        difference: of the means, setting less reference.
        low: lower end of its 95 % interval over topics and seeds.
        high: upper end.
        effect: d_z of the topics' differences, means over seeds.
        p: of the randomization test over topics, on means over seeds.
        corrected: p after Holm's correction over all comparisons of the report.
        smallest: the difference that these topics and seeds would have shown four times in five.
        wins: topics on which the setting is higher.
        losses: topics on which it is lower.
        seeds: that were compared.
        agreeing: of them, those whose difference has the sign of `difference`.
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

    @property
    def mark(self) -> str:
        """▲ or ▼ if the corrected p is below 0.05 and the interval over topics and seeds leaves out 0, else nothing."""
        if self.corrected >= ALPHA:
            return ""
        return ABOVE if self.low > 0 else BELOW if self.high < 0 else ""


def compare(
    groups: Sequence[Group],
    wanted: Sequence[tuple[Setting, Setting]],
    measure: str,
    rng_of: RngOf,
) -> tuple[Comparison, ...]:
    """Settings against references, as far as a pair has both; all of them one family.

    Pairs of fewer than two topics have none.
    """
    found = [
        comparison
        for group in groups
        if len(group.topics) > 1
        for comparison in _of_group(group, wanted, measure, rng_of)
    ]
    corrected = holm(np.array([comparison.p for comparison in found]))
    return tuple(replace(one, corrected=float(p)) for one, p in zip(found, corrected, strict=True))


def _of_group(group: Group, wanted: Sequence[tuple[Setting, Setting]], measure: str, rng_of: RngOf) -> list[Comparison]:
    named = [pair for pair in wanted if all(setting in group.results for setting in pair)]
    if not named:
        return []
    by_seed = [group.differences(setting, reference, measure) for setting, reference in named]
    over_seeds = [differences.mean(axis=1) for differences in by_seed]
    p_values = sign_flip(np.column_stack(over_seeds), rng_of("test", group))
    intervals = bootstrap_intervals(by_seed, rng_of("difference", group))
    return [
        Comparison(
            pair=group.pair,
            corpus=group.corpus,
            setting=setting,
            reference=reference,
            difference=float(d.mean()),
            low=float(low),
            high=float(high),
            effect=effect_size(d),
            p=float(p),
            corrected=float(p),
            smallest=smallest_difference(seeds),
            wins=int((d > 0).sum()),
            losses=int((d < 0).sum()),
            seeds=seeds.shape[1],
            agreeing=int((np.sign(seeds.mean(axis=0)) == np.sign(d.mean())).sum()),
        )
        for (setting, reference), seeds, d, p, (low, high) in zip(
            named, by_seed, over_seeds, p_values, intervals, strict=True
        )
    ]
