"""The plans that answer a transport problem, and how good they are."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from optical_cli.transport.problem import TransportProblem


@dataclass(frozen=True, eq=False)
class Coupling:
    """The plans found for a problem, and figures that are measured on the plans themselves.

    Attributes:
        plan: (B, n, m) in dtype and device of the cost, exactly zero on padding.
        potentials: f (B, n) and g (B, m) in units of the cost. P_ij is a_i b_j exp((f_i + g_j - C_ij) / reg) for
            entropic plans and a_i b_j max(0, f_i + g_j - C_ij) / reg for quadratic ones. Exact plans have the prices of
            the simplex, the product of the marginals the limit of the entropic potentials.
        iterations: (B,) int64; 0 at reg 0 and inf.
        reg_marginal: strength of the penalty on the marginals in units of the cost; inf where they have to hold.
    """

    problem: TransportProblem
    plan: Tensor
    potentials: tuple[Tensor, Tensor]
    iterations: Tensor
    threshold: float
    reg_marginal: float = math.inf

    @cached_property
    def marginal_error(self) -> Tensor:
        """(B,) L1 distance of the plan's marginals from those it has to have, both sides added."""
        f, g = self.potentials
        a, b = self.problem.a, self.problem.b
        if math.isfinite(self.reg_marginal):  # what relaxed marginals have to be
            a, b = a * torch.exp(-f / self.reg_marginal), b * torch.exp(-g / self.reg_marginal)
        rows = (_sum(self.plan, 2) - a).abs().sum(dim=1)
        columns = (_sum(self.plan, 1) - b).abs().sum(dim=1)
        return rows + columns

    @cached_property
    def mass(self) -> Tensor:
        """(B,) sum of the plan; 1 if all went well and the marginals are not relaxed."""
        return _sum(self.plan, (1, 2))

    @cached_property
    def converged(self) -> Tensor:
        """(B,) bool: the marginal error is at most the threshold. A plan of NaN or without mass never is."""
        return (self.marginal_error <= self.threshold) & (self.mass > 0)

    @cached_property
    def entropy(self) -> Tensor:
        """(B,) Shannon entropy of the plan in nats, - sum P log P."""
        return -_sum(_x_log_x(self.plan), (1, 2))

    @cached_property
    def effective_targets(self) -> Tensor:
        """(B,) exp of the plan's conditional entropy: 1 for a one-to-one alignment, m for the product."""
        rows = _sum(self.plan, 2)
        of_rows = -_sum(_x_log_x(rows), 1)
        return torch.exp((self.entropy - of_rows) / self.mass)

    def cost(self, cost: Tensor) -> Tensor:
        """(B,) <P, C> for costs (B, n, m), with P held constant: its gradient is the plan (envelope theorem)."""
        return (self.plan.detach() * cost).sum(dim=(1, 2))


# On the CPU numpy does the sums, on one thread: at every step of a training torch would wake its own, and with one
# neighbour on the machine that took ten times as long as the solver.


def _sum(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Sum in float64, so that float32 rounding does not pass for a marginal error."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.asarray(x.detach().numpy().sum(axis=dim, dtype=np.float64)))
    on_mps = x.device.type == "mps"  # Apple's GPUs have no float64
    return x.sum(dim=dim, dtype=torch.float32 if on_mps else torch.float64)


def _x_log_x(x: Tensor) -> Tensor:
    if x.device.type == "cpu":
        numbers = x.detach().numpy()
        return torch.from_numpy(numbers * np.log(np.maximum(numbers, np.finfo(numbers.dtype).tiny)))
    summands: Tensor = torch.special.xlogy(x, x)
    return summands
