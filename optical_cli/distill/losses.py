"""The loss functions of the objectives; their names, labels and settings are in `config/objectives.py`."""

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
    """The reg of each training step: constant, or annealed by the same factor at each step.

    Attributes:
        reg: the reg of the cell, which the last steps have.
        start: the reg of the first step, larger than `reg`; None for a constant reg.
        annealed: the step, from 1, at which `reg` is reached.
        floor: the smallest reg above 0 that the solver takes; from there, annealing to 0 jumps to 0.
    """

    reg: float
    start: float | None = None
    annealed: int = 1
    floor: float = 0.0

    @classmethod
    def of(cls, reg: float, settings: Transport, steps: int) -> Self:
        """Make the schedule of a cell for a training of `steps` steps."""
        if settings.anneal is None or not settings.anneals(reg):
            return cls(reg)
        annealed = max(math.ceil(settings.anneal.share * steps), 1)
        return cls(reg, settings.anneal.start, annealed, settings.smallest_reg)

    def at(self, step: int) -> float:
        """Return the reg of a step, counted from 1."""
        if self.start is None or step >= self.annealed:
            return self.reg
        lowest = self.reg or self.floor
        falls = self.annealed - (1 if self.reg else 2)  # steps from the first to the one that reaches the lowest reg
        done = (step - 1) / falls if falls else 0.0
        return max(self.start * math.pow(lowest / self.start, done), lowest)


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one side of a batch of sentence pairs.

    Attributes:
        vectors: (pairs, n, d) of unit length; any finite value on padding.
        mask: (pairs, n) bool, true where MaxSim scores the token.
        mass: (pairs, n) marginal of the transport plan; each row sums to 1.
    """

    vectors: torch.Tensor
    mask: torch.Tensor
    mass: torch.Tensor


@dataclass(frozen=True, eq=False)
class Aligned:
    """The losses (pairs,) of a batch, with the coupling and its reg if the objective has plans."""

    losses: torch.Tensor
    coupling: Coupling | None = None
    reg: float | None = None


Loss = Callable[[Tokens, Tokens, int], Aligned]
"""Called with the teacher's tokens, the student's tokens and the training step, from 1."""


def transport(schedule: Schedule, settings: Transport) -> Loss:
    """Make the transport loss: the cost <P, C> of the regularized plan P, which is held constant.

    By the envelope theorem, its gradient is that of the regularized optimum. The loss leaves the regularization out, so
    that losses at different reg are comparable. It raises `NotConverged` if the exact solver gives up.
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
    """Compute the squared distance of the mean tokens (Reimers and Gurevych 2020, arXiv 2004.09813)."""
    return Aligned((_mean_token(teacher) - _mean_token(student)).square().sum(-1))


def greedy(teacher: Tokens, student: Tokens, _step: int) -> Aligned:
    """Compute the mean cost of aligning each student token with its nearest teacher token, as in DR.DECR.

    Source: arXiv 2112.08185.
    """
    C = cosine_cost(teacher.vectors, student.vectors).masked_fill(~teacher.mask[:, :, None], torch.inf)
    nearest = C.amin(1).masked_fill(~student.mask, 0)
    return Aligned(nearest.sum(-1) / student.mask.sum(-1))


LOSSES: dict[str, Callable[[Schedule, Transport], Loss]] = {
    "transport": transport,
    "targets": transport,
    "pooled_mse": lambda _schedule, _settings: pooled_mse,
    "greedy": lambda _schedule, _settings: greedy,
}
"""Functions that make the loss of an objective, by name."""


def _mean_token(tokens: Tokens) -> torch.Tensor:
    weights = tokens.mask.to(tokens.vectors.dtype)[:, :, None]
    return (tokens.vectors * weights).sum(1) / weights.sum(1)
