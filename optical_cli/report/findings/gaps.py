"""How far low-resource pairs lie behind the others, and whether a setting closes the gap."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings.group import Group
from optical_cli.report.findings.interval import Interval
from optical_cli.report.statistics.bootstrap import bootstrap_means, percentile_intervals


@dataclass(frozen=True)
class Gap:
    """The other pairs less the low-resource ones, under one setting.

    Attributes:
        corpus: the corpus mode; pooled and full figures do not compare.
        setting: a reg or a baseline that every pair was scored with.
        low: mean over the low-resource pairs.
        high: mean over the others.
        interval: of `high` less `low`, 95 %, over topics and seeds.
        changes: by reference, the gap less the gap of that reference, and its interval; below 0 it is narrower.
    """

    corpus: str
    setting: Setting
    low: float
    high: float
    interval: Interval
    changes: tuple[tuple[Setting, float, Interval], ...]

    @property
    def value(self) -> float:
        """How far the low-resource pairs lie behind."""
        return self.high - self.low


@dataclass(frozen=True)
class Gaps:
    """The gaps of one corpus mode.

    Attributes:
        corpus: the mode.
        low: the low-resource pairs.
        high: the others.
        by_setting: in the order of tables.
    """

    corpus: str
    low: tuple[str, ...]
    high: tuple[str, ...]
    by_setting: tuple[Gap, ...]


def gaps(
    groups: Sequence[Group],
    low_resource: Collection[str],
    references: Sequence[Setting],
    measure: str,
    seed: int,
) -> tuple[Gaps, ...]:
    """One for each corpus mode that has pairs of both kinds and a setting that all of them were scored with.

    A pair is the mean over its topics, and every pair counts alike. Intervals are of these pairs: topics and seeds are
    drawn, pairs are not. Pairs with the same topics draw them together.

    Args:
        groups: the scored pairs.
        low_resource: names of the pairs that are.
        references: settings to compare gaps with.
        measure: of the scores.
        seed: of the resampling.
    """
    found = []
    for corpus in dict.fromkeys(group.corpus for group in groups):
        own = [group for group in groups if group.corpus == corpus and len(group.topics) > 1]
        low, high = ([group for group in own if (group.pair in low_resource) == wanted] for wanted in (True, False))
        shared = (
            [setting for setting in own[0].results if all(setting in group.results for group in own)] if own else []
        )
        if low and high and shared:
            draws = _draws(own, shared, measure, seed)
            by_setting = _gaps(corpus, low, high, shared, references, draws, measure)
            found.append(
                Gaps(corpus, tuple(group.pair for group in low), tuple(group.pair for group in high), by_setting)
            )
    return tuple(found)


Draws = Callable[[Group, Setting], NDArray[np.float64]]


def _draws(groups: Sequence[Group], settings: Sequence[Setting], measure: str, seed: int) -> Draws:
    """The bootstrap means of a pair under a setting: (draws,), those of pairs with the same topics drawn alike."""
    drawn: dict[tuple[str, Setting], NDArray[np.float64]] = {}
    for topics in dict.fromkeys(group.topics for group in groups):
        own = [group for group in groups if group.topics == topics]
        rng = np.random.default_rng([seed, *f"gap {own[0].pair} {own[0].corpus}".encode()])
        named = [(group, setting) for group in own for setting in settings]
        means = bootstrap_means([group.scores(setting, measure) for group, setting in named], rng)
        drawn |= {(group.pair, setting): mean for (group, setting), mean in zip(named, means, strict=True)}
    return lambda group, setting: drawn[group.pair, setting]


def _gaps(
    corpus: str,
    low: Sequence[Group],
    high: Sequence[Group],
    settings: Sequence[Setting],
    references: Sequence[Setting],
    draws: Draws,
    measure: str,
) -> tuple[Gap, ...]:
    def mean(groups: Sequence[Group], setting: Setting) -> float:
        return float(np.mean([group.scores(setting, measure).mean() for group in groups]))

    def drawn(setting: Setting) -> NDArray[np.float64]:
        of_high, of_low = (np.mean([draws(group, setting) for group in groups], axis=0) for groups in (high, low))
        difference: NDArray[np.float64] = of_high - of_low
        return difference

    value = {setting: mean(high, setting) - mean(low, setting) for setting in settings}
    return tuple(
        Gap(
            corpus=corpus,
            setting=setting,
            low=mean(low, setting),
            high=mean(high, setting),
            interval=_interval(drawn(setting)),
            changes=tuple(
                (
                    reference,
                    value[setting] - value[reference],
                    _interval(drawn(setting) - drawn(reference)),
                )
                for reference in references
                if reference in settings and reference != setting
            ),
        )
        for setting in settings
    )


def _interval(draws: NDArray[np.float64]) -> Interval:
    ((low, high),) = percentile_intervals(draws[None])
    return Interval(float(low), float(high))
