"""Inference from per-topic scores: intervals, tests, power, cross-fitted choice; on arrays, with numpy alone.

Student's t and Snedecor's F are integrated here, as importing `scipy.special` takes 0.3 seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
ANGLES = np.linspace(0.0, math.pi / 2, 5_001)
DRAWS = 5_000
CONFIDENCE = 0.95
FLIPS = 49_999  # the smallest p is 2e-5, which survives Holm's correction for a thousand tests
EXACT_TOPICS = 16  # up to here all sign patterns are enumerated
FLIPS_AT_ONCE = 10_000
FLIP_TIE = 1e-5  # share of the sum of |d| within which two float32 sums count as equal
PERMUTATIONS = 4_999
PERMUTED_AT_ONCE = 2_000_000  # floats
SPREAD_TIE = 1e-9
FOLDS = 5
REPEATS = 100


def bootstrap_intervals(scores: Sequence[Floats], rng: np.random.Generator, draws: int = DRAWS) -> Floats:
    """95 % percentile intervals of means over topics and seeds: (arrays, 2), lower and upper ends.

    `scores` are (topics, seeds) each, over the same topics and any number of seeds; with one, over topics alone.
    """
    return percentile_intervals(np.array(bootstrap_means(scores, rng, draws)))


def bootstrap_means(scores: Sequence[Floats], rng: np.random.Generator, draws: int = DRAWS) -> list[Floats]:
    """Bootstrap the mean of each array (topics, seeds): (draws,) each, with the same topics in each draw.

    Topics and seeds are drawn independently; a draw is the mean of the table they span. This is the pigeonhole
    bootstrap of Owen (2007, https://doi.org/10.1214/07-AOAS122), which errs on the wide side. Of n topics or seeds,
    n - 1 are drawn: n would make the variance too small by (n - 1) / n, a third for three seeds (Rao and Wu 1988,
    https://doi.org/10.1080/01621459.1988.10478591).
    """
    topics = scores[0].shape[0]
    over_topics = _weights(topics, draws, rng) @ np.concatenate(scores, axis=1)  # (draws, all seeds)
    over_seeds = {count: _weights(count, draws, rng) for count in sorted({array.shape[1] for array in scores})}
    ends = np.cumsum([array.shape[1] for array in scores])[:-1]
    return [np.einsum("ds,ds->d", part, over_seeds[part.shape[1]]) for part in np.split(over_topics, ends, axis=1)]


def percentile_intervals(means: Floats) -> Floats:
    """Take the middle 95 % of drawn means (arrays, draws): (arrays, 2)."""
    tail = (1 - CONFIDENCE) / 2
    return np.asarray(np.quantile(means, [tail, 1 - tail], axis=1).T)


def _weights(count: int, draws: int, rng: np.random.Generator) -> Floats:
    """Share of each item in each draw of `count` - 1 items with replacement: (draws, count)."""
    if count == 1:
        return np.ones((draws, 1))
    drawn = rng.integers(count, size=(draws, count - 1)) + count * np.arange(draws)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count) / (count - 1)


def sign_flip(differences: Floats, rng: np.random.Generator, flips: int = FLIPS) -> Floats:
    """Two-sided p values (tests,) of the mean differences (topics, tests), by the paired randomization test.

    Without an effect the difference of a topic is as likely to have the other sign (Fisher; recommended for retrieval
    measures by Smucker, Allan and Carterette 2007, https://doi.org/10.1145/1321440.1321528). One sign pattern serves
    all tests. The p value is the share of patterns, the observed one included, with a mean as far from 0.
    """
    d = differences.astype(np.float32)
    topics = d.shape[0]
    reached = np.abs(d.sum(axis=0)) - FLIP_TIE * np.abs(d).sum(axis=0)
    as_far = np.zeros(d.shape[1])
    if topics <= EXACT_TOPICS:
        every = np.arange(2**topics)[:, None] >> np.arange(topics) & 1
        as_far += np.count_nonzero(_flipped(every, d) >= reached, axis=0)
        return as_far / len(every)
    as_far += 1  # the observed pattern
    for start in range(0, flips, FLIPS_AT_ONCE):
        patterns = rng.integers(2, size=(min(FLIPS_AT_ONCE, flips - start), topics), dtype=np.int8)
        as_far += np.count_nonzero(_flipped(patterns, d) >= reached, axis=0)
    return as_far / (flips + 1)


def _flipped(patterns: NDArray[np.integer], d: NDArray[np.float32]) -> NDArray[np.float32]:
    """Absolute sums (patterns, tests) under sign patterns of zeros and ones."""
    return np.asarray(np.abs((patterns.astype(np.float32) * 2 - 1) @ d))


def interaction(
    groups: Sequence[Floats], rng: np.random.Generator, *, same_topics: bool, permutations: int = PERMUTATIONS
) -> float:
    """P value of the permutation test that settings have the same effect in every group.

    A topic's scores over the settings, less their mean, are its profile. Without an interaction it does not matter to
    which group a profile belongs, so profiles are permuted between groups: within each topic where the groups share
    their topics, over all topics elsewhere. The statistic is the sum of squares of the groups' mean profiles about the
    common one. An effect of another size counts as an interaction, not only another best setting.

    `groups` are (topics, settings) each, two of both at least; with `same_topics` row i is the same topic in all.
    """
    profiles = [scores - scores.mean(axis=1, keepdims=True) for scores in groups]
    counts = np.array([len(scores) for scores in groups])
    observed = _spread(np.array([scores.mean(axis=0) for scores in profiles]), counts)
    permute = _within_topics if same_topics else _over_topics
    block = max(1, PERMUTED_AT_ONCE // (int(counts.sum()) * profiles[0].shape[1]))
    as_far = 1  # the observed groups
    for start in range(0, permutations, block):
        means = permute(profiles, min(block, permutations - start), rng)
        as_far += int((_spread(means, counts) >= observed * (1 - SPREAD_TIE)).sum())
    return as_far / (permutations + 1)


def _within_topics(profiles: Sequence[Floats], times: int, rng: np.random.Generator) -> Floats:
    """Mean profiles (times, groups, settings) after permuting the groups of each topic."""
    stacked = np.stack(profiles, axis=1)  # (topics, groups, settings)
    topics, groups, _ = stacked.shape
    places = rng.permuted(np.broadcast_to(np.arange(groups), (times, topics, groups)), axis=2)
    return np.asarray(stacked[np.arange(topics)[:, None], places].mean(axis=1))


def _over_topics(profiles: Sequence[Floats], times: int, rng: np.random.Generator) -> Floats:
    """Mean profiles (times, groups, settings) after permuting all topics into groups of the same sizes."""
    pool = np.concatenate(profiles)
    counts = np.array([len(scores) for scores in profiles])
    places = rng.permuted(np.broadcast_to(np.arange(len(pool)), (times, len(pool))), axis=1)
    sums = np.add.reduceat(pool[places], np.cumsum(counts) - counts, axis=1)
    return np.asarray(sums / counts[:, None])


def _spread(means: Floats, counts: NDArray[np.int_]) -> Floats:
    """Sum of squares of group means (..., groups, settings) about the mean of all."""
    common = (counts[:, None] * means).sum(axis=-2, keepdims=True) / counts.sum()
    return np.asarray((counts[:, None] * np.square(means - common)).sum(axis=(-2, -1)))


@dataclass(frozen=True)
class CrossFit:
    """The outcome of a repeated choice among settings, each scored on topics that it was chosen without."""

    shares: Floats  # (settings,): how often each was chosen, summing to 1
    score: float  # mean over topics and repeats of what was chosen without the topic
    best: int  # the setting with the best mean on all topics
    flattered: float  # how far the mean of `best` on all topics is above `score`


def cross_fit(scores: Floats, rng: np.random.Generator, folds: int = FOLDS, repeats: int = REPEATS) -> CrossFit:
    """Choose the best setting on all folds of the topics but one, score it on that one; repeat for every fold.

    `scores` are (topics, settings), two topics at least; with fewer topics than folds each topic is a fold. Topics are
    assigned to folds anew `repeats` times.
    """
    topics, settings = scores.shape
    folds = min(folds, topics)
    total = scores.sum(axis=0)
    taken, gained = np.zeros(settings), 0.0
    for _ in range(repeats):
        fold_of = rng.permutation(topics) % folds
        tested = np.zeros((folds, settings))
        np.add.at(tested, fold_of, scores)
        chosen = ((total - tested) / (topics - np.bincount(fold_of))[:, None]).argmax(axis=1)  # (folds,)
        np.add.at(taken, chosen, 1)
        gained += float(tested[np.arange(folds), chosen].sum())
    means = total / topics
    best = int(means.argmax())
    score = gained / (repeats * topics)
    return CrossFit(taken / taken.sum(), score, best, float(means[best]) - score)


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
    https://doi.org/10.1177/0193841X9501900504). Both the topics and the seeds of the differences (topics, seeds), two
    topics at least, are random; with one seed only topics are.
    """
    variance, freedom = _variance_of_mean(differences)
    return float(t_quantiles((1 - ALPHA / 2, POWER), freedom).sum()) * math.sqrt(variance)


def equivalence(differences: Floats, margin: float) -> float:
    """P value of two one-sided t tests (TOST) that the true difference is within -margin and margin.

    The larger of the p values against -margin and against margin (Schuirmann 1987,
    https://doi.org/10.1007/BF01068419). Topics and seeds of the differences (topics, seeds), two topics at least, are
    random as in `smallest_difference`.
    """
    variance, freedom = _variance_of_mean(differences)
    room = margin - abs(float(differences.mean()))
    if variance == 0:
        return 0.0 if room > 0 else 1.0
    return t_tail(room / math.sqrt(variance), freedom)


def _variance_of_mean(d: Floats) -> tuple[float, float]:
    """Variance of the mean and its degrees of freedom, by two-way random effects analysis of variance.

    (MS of topics + MS of seeds - MS of the rest) / cells, freedom by Satterthwaite; seeds' part left out if negative.
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
    of Variance, chapter 8). Topics are fixed; `interaction` is the test over topics. `means` are (seeds, groups,
    settings), two of each at least.
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


def t_tail(t: float, freedom: float) -> float:
    """Upper tail of Student's t, to 4 digits; `freedom` is 1 or more, whole or not. See `t_quantiles`."""
    up_to = _integral(np.cos(ANGLES) ** (freedom - 1), np.diff(ANGLES))
    beyond = 0.5 * (1.0 - float(np.interp(math.atan(abs(t) / math.sqrt(freedom)), ANGLES, up_to)) / float(up_to[-1]))
    return beyond if t >= 0 else 1.0 - beyond


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
