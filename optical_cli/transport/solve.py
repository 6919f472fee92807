"""Choosing how a transport problem is solved."""

import math

import torch
from torch import Tensor

from optical_cli.errors import ConfigError
from optical_cli.transport import limits
from optical_cli.transport.problem import Coupling, TransportProblem

SMALLEST_REG = 0.001


@torch.no_grad()
def solve(problem: TransportProblem, reg: float, threshold: float = 1e-4, max_iterations: int = 10_000) -> Coupling:
    """Find the plans that minimise <P, C> + reg * sum P (log P - 1) among those with the problem's marginals.

    Args:
        problem: costs and marginals of a batch. Its costs are read without their graph.
        reg: strength of the entropic term in units of the cost. 0 is the exact plan, `math.inf` the product of the
            marginals, anything finite from 0.001 is solved by Sinkhorn iterations.
        threshold: marginal error (L1, both sides) at which a plan is done; between 0 and 1. Below 1e-5 give float64
            costs.
        max_iterations: of each plan. A plan that needs more is returned as it is, and its `converged` is false.

    Raises:
        ConfigError: a setting out of its range.
        NotConverged: the exact solver gave up (the entropic ones mark the plan instead).
    """
    if not (reg == 0 or reg >= SMALLEST_REG):
        raise ConfigError(f"reg is 0 (exact), a number from {SMALLEST_REG} up, or inf (product); got {reg}")
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold is a marginal error between 0 and 1; got {threshold}")
    if max_iterations < 1:
        raise ConfigError(f"max_iterations is at least 1; got {max_iterations}")

    iterations = torch.zeros(len(problem.cost), dtype=torch.int64, device=problem.cost.device)
    if reg == 0:
        plan = limits.exact(problem)
    elif math.isinf(reg):
        plan = limits.product(problem)
    else:
        plan, iterations = _sinkhorn(problem, reg, threshold, max_iterations)
    return Coupling(problem, plan, iterations, threshold)


def _sinkhorn(problem: TransportProblem, reg: float, threshold: float, max_iterations: int) -> tuple[Tensor, Tensor]:
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import sinkhorn_numba  # numba is half a second, and of no use beside a GPU

        return sinkhorn_numba.sinkhorn(problem, reg, threshold, max_iterations)
    from optical_cli.transport import sinkhorn_torch

    return sinkhorn_torch.sinkhorn(problem, reg, threshold, max_iterations)
