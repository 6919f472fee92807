"""Differences between pairs: in the effect of reg, and the gap between low-resource and other pairs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optical_cli.artifacts.result import Setting
from optical_cli.report import statistics
from optical_cli.report.findings.group import Group, Interval, RngOf
from optical_cli.report.statistics import Floats


@dataclass(frozen=True)
class Interaction:
    """The test whether the effect of reg depends on the pair, among the pairs of one corpus mode.

    Attributes:
        settings: The values of reg that all pairs have.
        same_topics: Whether all pairs have the same topics, which are then permuted together.
        p: P value of the permutation test over topics, on means over seeds.
        p_seeds: P value of the F test over the seeds that all pairs have; None with fewer than two.
    """

    corpus: str
    pairs: tuple[str, ...]
    settings: tuple[Setting, ...]
    same_topics: bool
    p: float
    p_seeds: float | None

    @property
    def shown(self) -> bool:
        """Whether p is below 0.05 in both tests, or in the only one."""
        return self.p < statistics.ALPHA and (self.p_seeds is None or self.p_seeds < statistics.ALPHA)


def interactions(groups: Sequence[Group], measure: str, rng_of: RngOf) -> tuple[Interaction, ...]:
    """Test each corpus mode that has two pairs with two values of reg in common."""
    found = []
    for corpus, of_corpus in _by_corpus(groups):
        own = [group for group in of_corpus if group.regs]
        shared = [setting for setting in _shared(own) if setting.reg is not None]
        if len(own) > 1 and len(shared) > 1:
            same_topics = len({group.topics for group in own}) == 1
            means = [group.means(shared, measure) for group in own]
            p = statistics.interaction(means, rng_of("interaction", own[0]), same_topics=same_topics)
            p_seeds = _over_seeds(own, shared, measure)
            found.append(Interaction(corpus, _names(own), tuple(shared), same_topics, p, p_seeds))
    return tuple(found)


def _over_seeds(groups: Sequence[Group], settings: Sequence[Setting], measure: str) -> float | None:
    cells = [[group.results[setting] for setting in settings] for group in groups]
    seeds = sorted(set.intersection(*(set(cell) for row in cells for cell in row)))
    if len(seeds) < 2:
        return None
    means = [[[cell[seed].value(measure) for cell in row] for row in cells] for seed in seeds]
    return statistics.seed_interaction(np.array(means, dtype=float))


@dataclass(frozen=True)
class Gap:
    """The gap between the other pairs and the low-resource pairs, under a setting that all pairs have.

    Attributes:
        low: Mean over the low-resource pairs.
        high: Mean over the other pairs.
        interval: 95 % interval of `high` less `low`.
        changes: This gap less that of each reference, with its interval; below 0 this gap is narrower.
    """

    corpus: str
    setting: Setting
    low: float
    high: float
    interval: Interval
    changes: tuple[tuple[Setting, float, Interval], ...] = ()

    @property
    def value(self) -> float:
        """`high` less `low`."""
        return self.high - self.low


@dataclass(frozen=True)
class Gaps:
    """The gaps of one corpus mode.

    Attributes:
        low: Names of the low-resource pairs.
        high: Names of the other pairs.
    """

    corpus: str
    low: tuple[str, ...]
    high: tuple[str, ...]
    by_setting: tuple[Gap, ...]


def gaps(
    groups: Sequence[Group], low_resource: Collection[str], references: Sequence[Setting], measure: str, rng_of: RngOf
) -> tuple[Gaps, ...]:
    """Compare low-resource pairs with the others in each corpus mode that has both and a setting of all pairs.

    Every pair has the same weight, by its mean over topics. Intervals are about these pairs: the bootstrap draws topics
    and seeds, together for pairs with the same topics, and no pairs. Each gap is compared with that of every reference.
    """
    found = []
    for corpus, own in _by_corpus(groups):
        low, high = ([group for group in own if (group.pair in low_resource) == wanted] for wanted in (True, False))
        shared = _shared(own)
        if low and high and shared:
            draws = _draws(own, shared, measure, rng_of)
            drawn = {one: _over(high, one, draws) - _over(low, one, draws) for one in shared}
            means = {(group.pair, one): group.scores(one, measure).mean() for group in own for one in shared}
            ends = {one: (float(_over(low, one, means)), float(_over(high, one, means))) for one in shared}
            value = {one: high_mean - low_mean for one, (low_mean, high_mean) in ends.items()}
            changes = {
                one: tuple(
                    (other, value[one] - value[other], _interval(drawn[one] - drawn[other]))
                    for other in references
                    if other in value and other != one
                )
                for one in shared
            }
            by_setting = tuple(Gap(corpus, one, *ends[one], _interval(drawn[one]), changes[one]) for one in shared)
            found.append(Gaps(corpus, _names(low), _names(high), by_setting))
    return tuple(found)


def _draws(
    groups: Sequence[Group], settings: Sequence[Setting], measure: str, rng_of: RngOf
) -> Mapping[tuple[str, Setting], Floats]:
    """Bootstrap the mean of each pair under each setting, (draws,) each; pairs with the same topics share draws."""
    drawn: dict[tuple[str, Setting], Floats] = {}
    for topics in dict.fromkeys(group.topics for group in groups):
        own = [group for group in groups if group.topics == topics]
        named = [(group, setting) for group in own for setting in settings]
        scores = [group.scores(setting, measure) for group, setting in named]
        means = statistics.bootstrap_means(scores, rng_of("gap", own[0]))
        drawn |= {(group.pair, setting): mean for (group, setting), mean in zip(named, means, strict=True)}
    return drawn


def _over(groups: Sequence[Group], setting: Setting, values: Mapping[tuple[str, Setting], Any]) -> Floats:
    mean: Floats = np.mean([values[group.pair, setting] for group in groups], axis=0)
    return mean


def _interval(draws: Floats) -> Interval:
    return Interval(*statistics.percentile_intervals(draws[None])[0].tolist())


def _names(groups: Sequence[Group]) -> tuple[str, ...]:
    return tuple(group.pair for group in groups)


def _by_corpus(groups: Sequence[Group]) -> Iterator[tuple[str, list[Group]]]:
    """Yield the pairs with two topics or more of each corpus mode; figures of different modes do not compare."""
    for corpus in dict.fromkeys(group.corpus for group in groups):
        yield corpus, [group for group in groups if group.corpus == corpus and len(group.topics) > 1]


def _shared(groups: Sequence[Group]) -> list[Setting]:
    first = groups[0].results if groups else {}
    return [setting for setting in first if all(setting in group.results for group in groups)]
