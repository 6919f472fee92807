"""Inference from per-topic scores: intervals, tests, power, cross-fitted choice. Arrays in, arrays out, numpy alone."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
