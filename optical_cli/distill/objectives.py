"""The loss of each objective that students are trained on; `config/objectives.py` has the rest of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from optical_cli.config.transport import Transport
from optical_cli.distill.schedule import Schedule
from optical_cli.errors import NotConverged
from optical_cli.transport import Coupling, TransportProblem, cosine_cost, solve


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one side of a batch of sentence pairs.

    Attributes:
        vectors: (pairs, n, d) of unit length; padding may hold any finite number.
        mask: (pairs, n) bool, true where a token is that MaxSim scores.
        mass: (pairs, n) what each of them sends or receives; a row sums to 1.
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

    Without the entropy term, so that losses of different reg can be compared. It raises `NotConverged` where the
    exact solver gives up.
    """

    def align(teacher: Tokens, student: Tokens, step: int) -> Aligned:
        reg = schedule.at(step)
        C = cosine_cost(teacher.vectors, student.vectors)
        problem = TransportProblem(C.detach(), teacher.mass, student.mass)
        try:
            coupling = solve(problem, reg, **settings.solve_arguments(reg))
        except NotConverged as error:
            raise NotConverged(f"step {step}, reg {reg:g}: {error}; choose a larger reg") from error
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
