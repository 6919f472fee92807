"""The size of a paired difference in units of its own spread."""

import math

import numpy as np
from numpy.typing import NDArray


def effect_size(differences: NDArray[np.float64]) -> float:
    """Cohen's d_z of differences (topics,): mean over standard deviation; 0 if all are 0, inf if all are alike.

    Small, medium and large are 0.2, 0.5 and 0.8 by Cohen's custom (Cohen 1988, section 2.3.5).
    """
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread > 1e-12:
        return mean / spread
    return math.copysign(math.inf, mean) if abs(mean) > 1e-12 else 0.0
