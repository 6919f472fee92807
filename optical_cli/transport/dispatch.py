"""Solve a transport problem by the solver of its name, or at reg 0 and inf without iterations."""

import math

import numpy as np
import torch
from torch import Tensor

from optical_cli.errors import ConfigError, DataError, NotConverged
from optical_cli.transport.coupling import Coupling
from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.solvers import SOLVER_EXPECTED, SOLVERS, iterates

MAX_PIVOTS = 1_000_000  # of the network simplex; 512 x 512 tokens take some 20,000


@torch.no_grad()
def solve(
    problem: TransportProblem,
    reg: float,
    solver: str = "sinkhorn",
    *,
    threshold: float = 1e-5,
    max_iterations: int = 10_000,
    start: tuple[Tensor, Tensor] | None = None,
    **own: float,
) -> Coupling:
    """Find the plans that minimise <P, C> and a regularization among those with the problem's marginals.

    Args:
        problem: its costs are read without their graph.
        reg: in units of the cost: 0 (the plan of least cost), from 0.001 up, or inf (the product of the marginals).
        solver: a name of `solvers.SOLVERS`; compiled code solves plan by plan on the CPU, elsewhere torch the batch.
        threshold: marginal error (L1, both sides) at which a plan is done, between 0 and 1. At 1e-5 the cost is within
            1e-5 of itself for reg from 0.01 up; below, give float64 costs.
        max_iterations: of each plan. A plan that needs more is returned as it is, and its `converged` is false.
        start: potentials (B, n) and (B, m) of a coupling of nearly the same costs, in units of the cost. Moves the plan
            within the threshold, no further. Unused at reg 0 and inf.
        own: `steps` of proximal; `reg_marginal` of unbalanced, the penalty on the marginals in units of the cost.

    Raises:
        ConfigError: a setting out of its range.
        DataError: `start` does not fit the problem.
        NotConverged: the exact solver gave up (the others mark the plan instead).
    """
    row = SOLVERS.get(solver)
    if row is None:
        raise ConfigError(f"solver: {SOLVER_EXPECTED} expected, found {solver}")
    settings = row.completed(own)
    if fault := row.fault_of(reg, settings):
        raise ConfigError(f"reg: {fault}")
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold: a marginal error between 0 and 1 expected, found {threshold}")
    if max_iterations < 1:
        raise ConfigError(f"max_iterations: at least 1 expected, found {max_iterations}")
    if start is not None:
        _check_start(start, problem)
    if iterates(reg):
        found: Solution = row.load()(problem, reg, threshold, max_iterations, start, **settings)
        relaxed = settings.get("reg_marginal", math.inf)
    else:
        found, relaxed = exact(problem) if reg == 0 else product(problem), math.inf
    return Coupling(problem, found.plan, (found.f, found.g), found.iterations, threshold, relaxed)


def _check_start(start: tuple[Tensor, Tensor], problem: TransportProblem) -> None:
    for side, mass in zip(start, (problem.a, problem.b), strict=True):
        if side.shape != mass.shape or not torch.isfinite(side).all():
            raise DataError(f"start has the potentials {tuple(mass.shape)}, finite; these are {tuple(side.shape)}")


def exact(problem: TransportProblem) -> Solution:
    """The plan of least cost (reg 0), by the network simplex of POT, one plan after the other in float64."""
    import ot  # 0.5 s that only this solver needs

    C, a, b = (x.detach().double().cpu().numpy() for x in (problem.cost, problem.a, problem.b))
    plans, f, g = np.zeros_like(C), np.zeros_like(a), np.zeros_like(b)
    for k in range(len(C)):
        rows, columns = a[k].nonzero()[0], b[k].nonzero()[0]
        a_k, b_k = a[k, rows], b[k, columns]
        P, log = ot.emd(a_k / a_k.sum(), b_k / b_k.sum(), C[k][np.ix_(rows, columns)], MAX_PIVOTS, log=True)
        if log["warning"] is not None:
            raise NotConverged(f"exact transport of plan {k} of the batch ({P.shape}): {log['warning']}")
        plans[k][np.ix_(rows, columns)] = P
        f[k, rows], g[k, columns] = log["u"], log["v"]
    return _without_iterations(*(torch.from_numpy(x).to(problem.cost) for x in (plans, f, g)))


def product(problem: TransportProblem) -> Solution:
    """The product of the marginals (reg inf), with the potentials that entropic ones go to as reg grows."""
    C, a, b = problem.cost.detach(), problem.a, problem.b
    f, g = (C @ b[:, :, None])[:, :, 0], (a[:, None, :] @ C)[:, 0]  # mean cost of a row, of a column
    half = (f * a).sum(dim=1, keepdim=True) / 2
    return _without_iterations(a[:, :, None] * b[:, None, :], (f - half) * (a > 0), (g - half) * (b > 0))


def _without_iterations(plan: Tensor, f: Tensor, g: Tensor) -> Solution:
    return Solution(plan, f, g, torch.zeros(len(plan), dtype=torch.int64, device=plan.device))
