"""Effect size, correction, power and the F test over seeds, in closed form.

Student's t and Snedecor's F are integrated here, as importing `scipy.special` takes 0.3 seconds.
"""

import math
from collections.abc import Sequence

import numpy as np

from optical_cli.report.statistics import Floats

ALPHA = 0.05
POWER = 0.8
ANGLES = np.linspace(0.0, math.pi / 2, 5_001)


def effect_size(differences: Floats) -> float:
    """Cohen's d_z of differences (topics,): mean over standard deviation; 0 if all are 0, inf if all are equal.

    By Cohen's convention 0.2, 0.5 and 0.8 are small, medium and large (Cohen 1988, section 2.3.5).
    """
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread > 1e-12:
        return mean / spread
    return math.copysign(math.inf, mean) if abs(mean) > 1e-12 else 0.0


def holm(p: Floats) -> Floats:
    """Adjust the p values (tests,) of a family so that the chance of any false positive is alpha at most.

    The k-th smallest of m is multiplied by m - k + 1, and is not below a smaller one's (Holm 1979,
    https://www.jstor.org/stable/4615733). This holds however the tests depend on each other.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def smallest_difference(differences: Floats) -> float:
    """The true difference that a two-sided test at 0.05 detects with 80 % power, uncorrected.

    (t of 1 - alpha / 2 + t of the power) times the standard error (Bloom 1995,
    https://doi.org/10.1177/0193841X9501900504). Topics and seeds are both random.

    Args:
        differences: (topics, seeds), two topics at least; with one seed only topics are random.
    """
    variance, freedom = _variance_of_mean(differences)
    return float(t_quantiles((1 - ALPHA / 2, POWER), freedom).sum()) * math.sqrt(variance)


def _variance_of_mean(d: Floats) -> tuple[float, float]:
    """Variance of the mean and its degrees of freedom, by two-way random effects analysis of variance.

    (MS of topics + MS of seeds - MS of the rest) / cells, with Satterthwaite's degrees of freedom; a negative estimate
    of what seeds add is left out.
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


def seed_interaction(means: Floats) -> float:
    """P value of the F test that settings have the same effect in every group, with seeds as random effect.

    Mean square of the interaction over its mean square between seeds, by the mixed model (Scheffe 1959, The Analysis
    of Variance, chapter 8). Topics are fixed; `resampling.interaction` is the test over topics.

    Args:
        means: (seeds, groups, settings), two of each at least.
    """
    seeds, groups, settings = means.shape
    effects = means - means.mean(axis=1, keepdims=True) - means.mean(axis=2, keepdims=True)
    effects += means.mean(axis=(1, 2), keepdims=True)
    common = effects.mean(axis=0)
    freedom = (groups - 1) * (settings - 1)
    of_interaction = seeds * float(np.square(common).sum()) / freedom
    between_seeds = float(np.square(effects - common).sum()) / (freedom * (seeds - 1))
    if between_seeds == 0:
        return 0.0 if of_interaction > 0 else 1.0
    return f_tail(of_interaction / between_seeds, freedom, freedom * (seeds - 1))


def t_quantiles(shares: Sequence[float], freedom: float) -> Floats:
    """Quantiles of Student's t for shares from 0.5 to 0.99, to 4 digits; `freedom` is 1 or more, whole or not.

    With t = sqrt(freedom) tan(angle) the tail is finite and the density is cos(angle) ** (freedom - 1).
    """
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    below = 0.5 + _integral(scale * np.cos(ANGLES) ** (freedom - 1), np.diff(ANGLES))
    return math.sqrt(freedom) * np.tan(np.interp(shares, below, ANGLES))


def f_tail(f: float, above: int, below: int) -> float:
    """Upper tail of Snedecor's F with degrees of freedom `above` and `below`, to 3 digits.

    With F = below / above * tan(angle) ** 2 the density is sin(angle) ** (above - 1) * cos(angle) ** (below - 1).
    """
    up_to = _integral(np.sin(ANGLES) ** (above - 1) * np.cos(ANGLES) ** (below - 1), 1.0)
    angle = math.atan(math.sqrt(f * above / below))
    return 1.0 - float(np.interp(angle, ANGLES, up_to)) / float(up_to[-1])


def _integral(density: Floats, widths: Floats | float) -> Floats:
    """Integral of a density up to each angle, by the trapezoidal rule."""
    return np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * widths)])
