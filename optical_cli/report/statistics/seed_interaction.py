"""Whether what a setting does depends on the group more than it depends on the seed."""

import math

import numpy as np
from numpy.typing import NDArray

GRID = 5_001


def seed_interaction(means: NDArray[np.float64]) -> float:
    """The p value of no interaction of group and setting, seeds being random: the F test of the mixed model.

    The interaction's mean square over the mean square of what it does from seed to seed (Scheffe 1959, The Analysis of
    Variance, chapter 8). Topics are taken as they are; `interaction` is the test over topics.

    Args:
        means: (seeds, groups, settings), two of each at least.
    """
    seeds, groups, settings = means.shape
    effects = means - means.mean(axis=1, keepdims=True) - means.mean(axis=2, keepdims=True)
    effects += means.mean(axis=(1, 2), keepdims=True)
    common = effects.mean(axis=0)
    freedom = (groups - 1) * (settings - 1)
    of_interaction = seeds * float(np.square(common).sum()) / freedom
    from_seed_to_seed = float(np.square(effects - common).sum()) / (freedom * (seeds - 1))
    if from_seed_to_seed == 0:
        return 0.0 if of_interaction > 0 else 1.0
    return f_tail(of_interaction / from_seed_to_seed, freedom, freedom * (seeds - 1))


def f_tail(f: float, above: int, below: int) -> float:
    """The chance that Snedecor's F of so many degrees of freedom above and below is `f` or more, to 3 digits.

    With F = below / above * tan(angle) ** 2 the density is sin(angle) ** (above - 1) * cos(angle) ** (below - 1).
    """
    angles = np.linspace(0.0, math.pi / 2, GRID)
    density = np.sin(angles) ** (above - 1) * np.cos(angles) ** (below - 1)
    up_to = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = math.atan(math.sqrt(f * above / below))
    return 1.0 - float(np.interp(angle, angles, up_to)) / float(up_to[-1])
