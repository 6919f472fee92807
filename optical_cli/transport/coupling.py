"""The solution of a transport problem: plans, convergence, marginal error, entropy and effective targets."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from optical_cli.transport.problem import TransportProblem, widest


@dataclass(frozen=True, eq=False)
class Coupling:
    """The plans of a transport problem. All figures are measured on the plans, not taken from the solver.

    Attributes:
        plan: (B, n, m) in the dtype and on the device of the cost; exactly 0 on padding.
        potentials: f (B, n) and g (B, m) in units of the cost. Entropic plans are
            P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg), quadratic ones P_ij = a_i b_j max(0, f_i + g_j - C_ij) / reg.
            Exact plans (reg 0) have the dual prices of the network simplex, and the product of the marginals (reg inf)
            has the limit of the entropic potentials.
        iterations: (B,) int64; 0 at reg 0 and inf.
        threshold: the largest marginal error of a plan that counts as converged.
        reg_marginal: strength of the penalty on the marginals, in units of the cost; inf if the marginals must hold.
    """

    problem: TransportProblem
    plan: Tensor
    potentials: tuple[Tensor, Tensor]
    iterations: Tensor
    threshold: float
    reg_marginal: float = math.inf

    @cached_property
    def marginal_error(self) -> Tensor:
        """(B,) L1 distance between the plan's marginals and those of the problem, summed over both sides."""
        f, g = self.potentials
        a, b = self.problem.a, self.problem.b
        if math.isfinite(self.reg_marginal):  # the optimal marginals of unbalanced transport
            a, b = a * torch.exp(-f / self.reg_marginal), b * torch.exp(-g / self.reg_marginal)
        rows = (_sum(self.plan, 2) - a).abs().sum(dim=1)
        columns = (_sum(self.plan, 1) - b).abs().sum(dim=1)
        return rows + columns

    @cached_property
    def mass(self) -> Tensor:
        """(B,) sum of the plan: 1 for a converged plan, unless its marginals are relaxed."""
        return _sum(self.plan, (1, 2))

    @cached_property
    def converged(self) -> Tensor:
        """(B,) bool: true if the marginal error is at most the threshold; false for a plan of NaN or without mass."""
        return (self.marginal_error <= self.threshold) & (self.mass > 0)

    @cached_property
    def entropy(self) -> Tensor:
        """(B,) Shannon entropy of the plan in nats, - sum P log P."""
        return -_sum(_x_log_x(self.plan), (1, 2))

    @cached_property
    def effective_targets(self) -> Tensor:
        """(B,) number of student tokens that a teacher token's mass is spread over: exp of the conditional entropy.

        1 for a one-to-one alignment, m for the product of the marginals.
        """
        rows = _sum(self.plan, 2)
        row_entropy = -_sum(_x_log_x(rows), 1)
        return torch.exp((self.entropy - row_entropy) / self.mass)

    def cost(self, cost: Tensor) -> Tensor:
        """(B,) transport cost <P, C> for costs C (B, n, m).

        P is held constant, so that the gradient with respect to C is the plan (envelope theorem).
        """
        return (self.plan.detach() * cost).sum(dim=(1, 2))


# On the CPU, numpy computes the sums on one thread. torch would wake its threads at each step of a training, which took
# ten times as long as the solver while one other process was running.


def _sum(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Sum in float64, so that float32 rounding is not mistaken for a marginal error."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.asarray(x.detach().numpy().sum(axis=dim, dtype=np.float64)))
    return x.sum(dim=dim, dtype=widest(x.device))


def _x_log_x(x: Tensor) -> Tensor:
    if x.device.type == "cpu":
        numbers = x.detach().numpy()
        return torch.from_numpy(numbers * np.log(np.maximum(numbers, np.finfo(numbers.dtype).tiny)))
    summands: Tensor = torch.special.xlogy(x, x)
    return summands
