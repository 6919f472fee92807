"""Holm's correction of the p values of a family of tests."""

import numpy as np
from numpy.typing import NDArray


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p values, (tests,): those below alpha are wrong together with a chance of alpha at most.

    The k-th smallest of m is multiplied by m - k + 1, and is not below a smaller one's (Holm 1979,
    https://www.jstor.org/stable/4615733). It holds however the tests depend on each other.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
