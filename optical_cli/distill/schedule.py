"""The regularization in force at each step of a training."""

import math
from dataclasses import dataclass
from typing import Self

from optical_cli.config.transport import Transport


@dataclass(frozen=True)
class Schedule:
    """One reg at every step, or one that falls by the same factor a step and then stays.

    Attributes:
        reg: the cell's own.
        start: of the first step, larger than `reg`; None if nothing falls.
        annealed: the step, from 1, at which `reg` is reached.
        floor: the smallest reg above 0 that the solver takes: what a fall to 0 ends with before it jumps.
    """

    reg: float
    start: float | None = None
    annealed: int = 1
    floor: float = 0.0

    @classmethod
    def of(cls, reg: float, settings: Transport, steps: int) -> Self:
        """The schedule of a cell over a training of so many steps."""
        if settings.anneal is None or not settings.anneals(reg):
            return cls(reg)
        annealed = max(math.ceil(settings.anneal.share * steps), 1)
        return cls(reg, settings.anneal.start, annealed, settings.smallest_reg)

    def at(self, step: int) -> float:
        """The reg of a step, from 1."""
        if self.start is None or step >= self.annealed:
            return self.reg
        lowest = self.reg or self.floor
        falls = self.annealed - (1 if self.reg else 2)  # from the first step to the one that reaches the lowest
        done = (step - 1) / falls if falls else 0.0
        return max(self.start * math.pow(lowest / self.start, done), lowest)
