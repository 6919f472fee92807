"""The loss of each objective that students are trained on; `config/objectives.py` has the rest of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch

from optical_cli.config.transport import Transport
from optical_cli.errors import NotConverged
from optical_cli.transport import Coupling, TransportProblem, cosine_cost, solve
from optical_cli.transport.solvers import format_reg


@dataclass(frozen=True)
class Schedule:
    """The reg of each step: constant, or falling by the same factor a step and then constant.

    Attributes:
        start: the reg of the first step, larger than the cell's own `reg`; None for a constant one.
        annealed: the step, from 1, at which `reg` is reached.
        floor: the smallest reg above 0 that the solver takes; a fall to 0 jumps from there.
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


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one side of a batch of sentence pairs.

    Attributes:
        vectors: (pairs, n, d) of unit length; padding may hold any finite number.
        mask: (pairs, n) bool, true where MaxSim scores the token.
        mass: (pairs, n) mass that each token sends or receives; a row sums to 1.
    """

    vectors: torch.Tensor
    mask: torch.Tensor
    mass: torch.Tensor


@dataclass(frozen=True, eq=False)
class Aligned:
    """The losses of a batch, (pairs,), and the coupling they come from, at its reg, if there is one."""

    losses: torch.Tensor
    coupling: Coupling | None = None
    reg: float | None = None


Loss = Callable[[Tokens, Tokens, int], Aligned]
"""From the teacher's tokens, the student's, and the number of the step, from 1."""


def transport(schedule: Schedule, settings: Transport) -> Loss:
    """The transport cost <P, C> under the regularized plan P, held constant: the envelope gradient.

    It leaves the entropy out, so that losses of different reg can be compared. The loss raises `NotConverged` where
    the exact solver gives up.
    """

    def align(teacher: Tokens, student: Tokens, step: int) -> Aligned:
        reg = schedule.at(step)
        C = cosine_cost(teacher.vectors, student.vectors)
        problem = TransportProblem(C.detach(), teacher.mass, student.mass)
        try:
            coupling = solve(problem, reg, **settings.solve_arguments(reg))
        except NotConverged as error:
            raise NotConverged(f"step {step}, reg {format_reg(reg)}: {error}; choose a larger reg") from error
        return Aligned(coupling.cost(C), coupling, reg)

    return align


def pooled_mse(teacher: Tokens, student: Tokens, _step: int) -> Aligned:
    """Squared distance of the mean tokens (Reimers and Gurevych 2020, arXiv 2004.09813)."""
    return Aligned((_mean_token(teacher) - _mean_token(student)).square().sum(-1))


def greedy(teacher: Tokens, student: Tokens, _step: int) -> Aligned:
    """Each student token to its nearest teacher token, as in DR.DECR (arXiv 2112.08185)."""
    C = cosine_cost(teacher.vectors, student.vectors).masked_fill(~teacher.mask[:, :, None], torch.inf)
    nearest = C.amin(1).masked_fill(~student.mask, 0)
    return Aligned(nearest.sum(-1) / student.mask.sum(-1))


LOSSES: dict[str, Callable[[Schedule, Transport], Loss]] = {
    "transport": transport,
    "pooled_mse": lambda _schedule, _settings: pooled_mse,
    "greedy": lambda _schedule, _settings: greedy,
}
"""What makes the loss of an objective, by its name."""


def _mean_token(tokens: Tokens) -> torch.Tensor:
    weights = tokens.mask.to(tokens.vectors.dtype)[:, :, None]
    return (tokens.vectors * weights).sum(1) / weights.sum(1)
