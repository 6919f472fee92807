"""What the student is trained on: one loss a sentence pair, from the teacher's tokens and its own.

T is (pairs, n, d) with mask (pairs, n), the teacher's tokens; S is (pairs, m, d) with mask (pairs, m), the
student's; both of unit length.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from optical_cli.config.experiment import Transport
from optical_cli.transport import Coupling, TransportProblem, cosine_cost, solve, uniform_marginals


@dataclass(frozen=True)
class Aligned:
    """The losses of a batch, (pairs,), and the coupling they come from if there is one."""

    losses: torch.Tensor
    coupling: Coupling | None = None


Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], Aligned]


def transport(reg: float, settings: Transport) -> Objective:
    """The transport cost <P, C> under the regularized plan P, held constant: the envelope gradient.

    Without the entropy term, so that losses of different reg can be compared.
    """
    how: dict[str, Any] = {"threshold": settings.threshold, "max_iterations": settings.max_iterations}
    if reg in (0.0, math.inf):  # nothing iterates, so these settings must not decide: keys leave them out
        how = {}

    def align(T: torch.Tensor, t_mask: torch.Tensor, S: torch.Tensor, s_mask: torch.Tensor) -> Aligned:
        C = cosine_cost(T, S)
        problem = TransportProblem(C.detach(), uniform_marginals(t_mask), uniform_marginals(s_mask))
        coupling = solve(problem, reg, **how)
        return Aligned(coupling.cost(C), coupling)

    return align


def pooled_mse(T: torch.Tensor, t_mask: torch.Tensor, S: torch.Tensor, s_mask: torch.Tensor) -> Aligned:
    """Squared distance of the mean tokens (Reimers and Gurevych 2020, arXiv 2004.09813)."""
    return Aligned((_mean_token(T, t_mask) - _mean_token(S, s_mask)).square().sum(-1))


def greedy(T: torch.Tensor, t_mask: torch.Tensor, S: torch.Tensor, s_mask: torch.Tensor) -> Aligned:
    """Each student token to its nearest teacher token, as in DR.DECR (arXiv 2112.08185)."""
    C = cosine_cost(T, S).masked_fill(~t_mask[:, :, None], torch.inf)
    nearest = C.amin(1).masked_fill(~s_mask, 0)
    return Aligned(nearest.sum(-1) / s_mask.sum(-1))


def _mean_token(tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.to(tokens.dtype)[:, :, None]
    return (tokens * weights).sum(1) / weights.sum(1)
