"""Whether what a setting does depends on the group: a permutation test.

A topic's scores over the settings, less their mean, are its profile. If settings did the same in every group, it
would not matter to which group a profile belongs, so groups are dealt out anew: within each topic where all groups
have the same topics, over all topics elsewhere. The statistic is the sum of squares of the groups' mean profiles
about the common one. A difference in the size of the effect counts as one, not only another best setting.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 4_999
BLOCK_SIZE = 2_000_000  # floats of a block of permutations
TIE = 1e-9


def interaction(
    groups: Sequence[NDArray[np.float64]],
    rng: np.random.Generator,
    *,
    same_topics: bool,
    permutations: int = PERMUTATIONS,
) -> float:
    """The p value of no interaction of group and setting.

    Args:
        groups: (topics, settings) each, two groups and two settings at least, in the same order of settings.
        rng: draws the permutations.
        same_topics: whether row i is the same topic in all groups.
        permutations: how many to draw.
    """
    profiles = [scores - scores.mean(axis=1, keepdims=True) for scores in groups]
    counts = np.array([len(scores) for scores in groups])
    observed = _spread(np.array([scores.mean(axis=0) for scores in profiles]), counts)
    deal = _within_topics if same_topics else _over_topics
    block = max(1, BLOCK_SIZE // (int(counts.sum()) * profiles[0].shape[1]))
    as_far = 1  # the groups as they are
    for start in range(0, permutations, block):
        means = deal(profiles, min(block, permutations - start), rng)
        as_far += int((_spread(means, counts) >= observed * (1 - TIE)).sum())
    return as_far / (permutations + 1)


def _within_topics(
    profiles: Sequence[NDArray[np.float64]], times: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(times, groups, settings): mean profiles after the groups of each topic were dealt out anew."""
    stacked = np.stack(profiles, axis=1)  # (topics, groups, settings)
    topics, groups, _ = stacked.shape
    places = rng.permuted(np.broadcast_to(np.arange(groups), (times, topics, groups)), axis=2)
    dealt: NDArray[np.float64] = stacked[np.arange(topics)[:, None], places].mean(axis=1)
    return dealt


def _over_topics(profiles: Sequence[NDArray[np.float64]], times: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(times, groups, settings): mean profiles after all topics were dealt out to groups of the same sizes."""
    pool = np.concatenate(profiles)
    counts = np.array([len(scores) for scores in profiles])
    places = rng.permuted(np.broadcast_to(np.arange(len(pool)), (times, len(pool))), axis=1)
    sums = np.add.reduceat(pool[places], np.cumsum(counts) - counts, axis=1)
    dealt: NDArray[np.float64] = sums / counts[:, None]
    return dealt


def _spread(means: NDArray[np.float64], counts: NDArray[np.int_]) -> NDArray[np.float64]:
    """The sum of squares of group means (..., groups, settings) about the mean of all."""
    common = (counts[:, None] * means).sum(axis=-2, keepdims=True) / counts.sum()
    spread: NDArray[np.float64] = (counts[:, None] * np.square(means - common)).sum(axis=(-2, -1))
    return spread
