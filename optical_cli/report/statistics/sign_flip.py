"""The paired randomization test: under no effect the difference of a topic is as likely to have the other sign.

Fisher's randomization test, as Smucker, Allan and Carterette (2007, https://doi.org/10.1145/1321440.1321528)
recommend for the means of retrieval measures.
"""

import numpy as np
from numpy.typing import NDArray

FLIPS = 49_999
"""Random sign patterns; the smallest p is 2e-5, so that it survives the correction for a thousand tests."""
EXACT_TOPICS = 16
"""Up to here every pattern is looked at instead."""
BLOCK = 10_000
TIE = 1e-5
"""Sums this near to the observed one, as a share of the sum of |d|, are ties: single precision and a margin."""


def sign_flip(differences: NDArray[np.float64], rng: np.random.Generator, flips: int = FLIPS) -> NDArray[np.float64]:
    """Two-sided p values of mean differences.

    Args:
        differences: (topics, tests); one sign pattern serves all tests.
        rng: draws the patterns where there are too many to look at all.
        flips: how many to draw.

    Returns:
        (tests,): the share of patterns, the observed one among them, with a mean as far from 0.
    """
    d = differences.astype(np.float32)
    topics = d.shape[0]
    reached = np.abs(d.sum(axis=0)) - TIE * np.abs(d).sum(axis=0)
    as_far = np.zeros(d.shape[1])
    if topics <= EXACT_TOPICS:
        every = np.arange(2**topics)[:, None] >> np.arange(topics) & 1
        as_far += np.count_nonzero(_flipped(every, d) >= reached, axis=0)
        return as_far / len(every)
    as_far += 1  # the observed pattern
    for start in range(0, flips, BLOCK):
        patterns = rng.integers(2, size=(min(BLOCK, flips - start), topics), dtype=np.int8)
        as_far += np.count_nonzero(_flipped(patterns, d) >= reached, axis=0)
    return as_far / (flips + 1)


def _flipped(patterns: NDArray[np.integer], d: NDArray[np.float32]) -> NDArray[np.float32]:
    """(patterns, tests): how far from 0 the sums are under patterns of zeros and ones."""
    sums: NDArray[np.float32] = (patterns.astype(np.float32) * 2 - 1) @ d
    return np.abs(sums)
