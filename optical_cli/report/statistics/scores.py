"""The array that every function of this package takes."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

TopicScores: TypeAlias = NDArray[np.float64]
"""Scores, or differences of scores: (topics, seeds) unless a docstring says otherwise."""
