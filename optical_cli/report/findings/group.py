"""The per-topic scores of one pair on one corpus as arrays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from optical_cli.artifacts.result import Result, Setting
from optical_cli.report.statistics import Floats


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a mean, or of a difference of means, over topics and seeds."""

    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """The scored results of one pair on one corpus mode."""

    pair: str
    corpus: str
    topics: tuple[str, ...]  # sorted ids: the rows of every array
    results: Mapping[Setting, Mapping[int, Result]]  # by setting and seed

    @property
    def regs(self) -> list[Setting]:
        """The settings with a reg, from 0 to inf."""
        return [setting for setting in self.results if setting.reg is not None]

    def scores(self, setting: Setting, measure: str) -> Floats:
        """Return the scores of a setting: (topics, seeds)."""
        return np.array([self._of_topics(result, measure) for result in self.results[setting].values()]).T

    def means(self, settings: Sequence[Setting], measure: str) -> Floats:
        """Return the means over the seeds of each setting: (topics, settings)."""
        return np.column_stack([self.scores(setting, measure).mean(axis=1) for setting in settings])

    def differences(self, setting: Setting, reference: Setting, measure: str) -> Floats:
        """Return a setting less the reference, seed by seed: (topics, seeds).

        A setting with one seed, such as a baseline without training, is compared with every seed of the other. Seeds
        that one of the two lacks are left out. Two settings without a common seed are compared by their means over
        seeds: (topics, 1).
        """
        own, others = self.results[setting], self.results[reference]
        if len(own) == 1 or len(others) == 1:
            return self.scores(setting, measure) - self.scores(reference, measure)
        seeds = [seed for seed in own if seed in others]
        shared = [self._of_topics(own[seed], measure) - self._of_topics(others[seed], measure) for seed in seeds]
        return np.array(shared).T if shared else self.means([setting], measure) - self.means([reference], measure)

    def _of_topics(self, result: Result, measure: str) -> Floats:
        assert result.scores is not None  # noqa: S101 - `groups_of` leaves out others
        per_topic = result.scores.per_topic[measure]
        if len(per_topic) != len(self.topics):
            raise ValueError(f"{self.pair} ({self.corpus}): {result.setting.label} was scored on other topics")
        return np.array([per_topic[topic] for topic in self.topics])


RngOf: TypeAlias = Callable[[str, Group], np.random.Generator]
"""Returns the random generator for a purpose and a pair."""


def rng_of(seed: int, purpose: str, group: Group) -> np.random.Generator:
    """Return a random generator that depends on these alone, so that a pair's figures do not depend on other pairs."""
    return np.random.default_rng([seed, *f"{purpose} {group.pair} {group.corpus}".encode()])


def groups_of(results: Iterable[Result]) -> list[Group]:
    """Group scored results by pair and corpus, in their order; settings in the order of tables, seeds ascending."""
    topics: dict[tuple[str, str], list[str]] = {}
    grouped: dict[tuple[str, str], dict[Setting, dict[int, Result]]] = {}
    scored = [(result, result.scores) for result in results if result.scores]
    for result, scores in scored:
        topics.setdefault((result.pair, result.corpus), sorted(next(iter(scores.per_topic.values()))))
    for result, _ in sorted(scored, key=lambda one: (one[0].setting.rank, one[0].seed)):
        by_setting = grouped.setdefault((result.pair, result.corpus), {})
        by_setting.setdefault(result.setting, {})[result.seed] = result
    return [Group(pair, corpus, tuple(own), grouped[pair, corpus]) for (pair, corpus), own in topics.items()]
