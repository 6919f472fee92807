"""The smallest mean difference that topics and seeds could have shown."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from optical_cli.report.statistics.scores import TopicScores

ALPHA = 0.05
POWER = 0.8
GRID = 5_001


def smallest_difference(differences: TopicScores) -> float:
    """The true difference that a two-sided test at 0.05 finds with a chance of 80 %, before any correction.

    (t of 1 - alpha / 2 + t of the power) times the standard error, both at the error's degrees of freedom
    (Bloom 1995, https://doi.org/10.1177/0193841X9501900504). Topics and seeds are both random.

    Args:
        differences: (topics, seeds), two topics at least; with one seed it is a matter of topics alone.
    """
    variance, freedom = _variance_of_mean(differences)
    return float(t_quantiles((1 - ALPHA / 2, POWER), freedom).sum()) * math.sqrt(variance)


def _variance_of_mean(d: TopicScores) -> tuple[float, float]:
    """The variance of the mean and its degrees of freedom, by the two-way random effects analysis of variance.

    (MS of topics + MS of seeds - MS of the rest) / cells, with Satterthwaite's degrees of freedom; what seeds add is
    left out where it is estimated to be less than nothing.
    """
    topics, seeds = d.shape
    of_topics = seeds * float(d.mean(axis=1).var(ddof=1))
    if seeds == 1:
        return of_topics / topics, topics - 1
    of_seeds = topics * float(d.mean(axis=0).var(ddof=1))
    rest = d - d.mean(axis=1, keepdims=True) - d.mean(axis=0, keepdims=True) + d.mean()
    of_rest = float(np.square(rest).sum()) / ((topics - 1) * (seeds - 1))
    if of_seeds <= of_rest:
        return of_topics / d.size, topics - 1
    squares = of_topics**2 / (topics - 1) + of_seeds**2 / (seeds - 1) + of_rest**2 / ((topics - 1) * (seeds - 1))
    total = of_topics + of_seeds - of_rest
    return total / d.size, total**2 / squares


def t_quantiles(shares: Sequence[float], freedom: float) -> NDArray[np.float64]:
    """Student's t where its distribution function has reached each share, 0.5 to 0.99, to 4 digits.

    The density is summed over the angle x = sqrt(freedom) tan(angle), in which the tail is finite and the density
    is cos(angle) ** (freedom - 1); `freedom` is 1 or more and need not be whole.
    """
    angles = np.linspace(0.0, math.pi / 2, GRID)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    density = scale * np.cos(angles) ** (freedom - 1)
    below = 0.5 + np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(angles))])
    return math.sqrt(freedom) * np.tan(np.interp(shares, below, angles))
