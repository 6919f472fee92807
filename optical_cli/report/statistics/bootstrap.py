"""Bootstrap intervals of means over topics, with seeds as a second random factor.

Topics and seeds are drawn independently of each other and a draw's mean is that of the table they span: the
pigeonhole bootstrap of Owen (2007, https://doi.org/10.1214/07-AOAS122), which counts what topics and seeds do
together more than once and so errs on the wide side. Of n topics or seeds n - 1 are drawn: n would make the
variance too small by (n - 1) / n, which is a third for three seeds (Rao and Wu 1988,
https://doi.org/10.1080/01621459.1988.10478591).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from optical_cli.report.statistics.scores import TopicScores

DRAWS = 5_000
CONFIDENCE = 0.95


def bootstrap_intervals(
    scores: Sequence[TopicScores], rng: np.random.Generator, draws: int = DRAWS
) -> NDArray[np.float64]:
    """Percentile intervals of the means of several arrays over the same topics, which are drawn for all alike.

    Args:
        scores: (topics, seeds) each; the number of seeds may differ. With one seed the interval is over topics alone.
        rng: draws.
        draws: how many.

    Returns:
        (arrays, 2): lower and upper ends of the 95 % intervals.
    """
    return percentile_intervals(np.array(bootstrap_means(scores, rng, draws)))


def bootstrap_means(
    scores: Sequence[TopicScores], rng: np.random.Generator, draws: int = DRAWS
) -> list[NDArray[np.float64]]:
    """The means behind these intervals: (draws,) of each array, draw by draw over the same topics."""
    topics = scores[0].shape[0]
    over_topics = _weights(topics, draws, rng) @ np.concatenate(scores, axis=1)  # (draws, all seeds)
    over_seeds = {count: _weights(count, draws, rng) for count in sorted({array.shape[1] for array in scores})}
    ends = np.cumsum([array.shape[1] for array in scores])[:-1]
    return [np.einsum("ds,ds->d", part, over_seeds[part.shape[1]]) for part in np.split(over_topics, ends, axis=1)]


def percentile_intervals(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """(arrays, 2): lower and upper ends of the middle 95 % of drawn means, (arrays, draws)."""
    tail = (1 - CONFIDENCE) / 2
    ends: NDArray[np.float64] = np.quantile(means, [tail, 1 - tail], axis=1).T
    return ends


def _weights(count: int, draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(draws, count): the share of each item in each draw of `count` - 1 of them with replacement."""
    if count == 1:
        return np.ones((draws, 1))
    drawn = rng.integers(count, size=(draws, count - 1)) + count * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count) / (count - 1)
