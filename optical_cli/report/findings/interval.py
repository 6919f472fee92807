"""A 95 % interval."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a mean, or of a difference of means, over topics and seeds."""

    low: float
    high: float
