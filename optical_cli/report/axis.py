"""Where values of reg stand on an axis, and labels beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

GAP = 0.45  # decades between 0 or inf and the rest of the axis


@dataclass(frozen=True)
class Scale:
    """Where each reg stands: decades, with 0 and inf set apart."""

    regs: tuple[float, ...]

    def __call__(self, reg: float) -> float:
        """The place of a reg on the axis."""
        if reg == 0:
            return self.ends[0] - GAP
        return self.ends[1] + GAP if math.isinf(reg) else math.log10(reg)

    @property
    def finite(self) -> tuple[float, ...]:
        """The values on the logarithmic part."""
        return tuple(reg for reg in self.regs if 0 < reg < math.inf)

    @property
    def ends(self) -> tuple[float, float]:
        """The first and last place of the logarithmic part."""
        return (math.log10(self.finite[0]), math.log10(self.finite[-1])) if self.finite else (0.0, 0.0)

    def ticks(self, most: float) -> list[float]:
        """The values to name where the axis has room for `most` names: both ends, then what fits between."""
        if not self.regs:
            return []
        room = (self(self.regs[-1]) - self(self.regs[0])) / most
        order = dict.fromkeys([self.regs[0], self.regs[-1], *self.regs])
        named: list[float] = []
        for reg in order:
            if not named or min(abs(self(reg) - self(other)) for other in named) >= room:
                named.append(reg)
        return named

    @property
    def breaks(self) -> list[tuple[float, float]]:
        """0 and inf with their neighbours, where both are there: nothing is known between."""
        if len(self.regs) < 2:
            return []
        pairs = [(self.regs[0], self.regs[1]), (self.regs[-1], self.regs[-2])]
        return [(end, neighbour) for end, neighbour in pairs if end == 0 or math.isinf(end)]


def spread(places: Sequence[float], room: float) -> list[float]:
    """Moves sorted places at least `room` apart, as little as can be: overlapping ones share out a block."""
    blocks: list[tuple[float, int]] = []  # middle, count
    for place in places:
        middle, count = place, 1
        while blocks and middle - blocks[-1][0] < room * (count + blocks[-1][1]) / 2:
            other, more = blocks.pop()
            middle, count = (middle * count + other * more) / (count + more), count + more
        blocks.append((middle, count))
    return [middle + room * (i - (count - 1) / 2) for middle, count in blocks for i in range(count)]
