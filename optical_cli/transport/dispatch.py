"""Solve a transport problem: by the named solver, or without iterations at reg 0 and inf."""

import math

import numpy as np
import torch
from torch import Tensor

from optical_cli.errors import ConfigError, DataError, NotConverged
from optical_cli.transport.coupling import Coupling
from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.solvers import SOLVER_EXPECTED, SOLVERS, iterates

MAX_PIVOTS = 1_000_000  # limit of the network simplex; 512 x 512 tokens take about 20,000


@torch.no_grad()
def solve(
    problem: TransportProblem,
    reg: float,
    solver: str = "sinkhorn",
    *,
    threshold: float = 1e-5,
    max_iterations: int = 10_000,
    start: tuple[Tensor, Tensor] | None = None,
    **settings: float,
) -> Coupling:
    """Find the plans with the problem's marginals that minimise the transport cost <P, C> plus a regularization.

    Plans are solved one by one in compiled code on the CPU, and as a batch in torch on other devices.

    Args:
        problem: costs and marginals; no gradient flows through the solver.
        reg: strength of the regularization in units of the cost: 0 (least cost), at least 0.001, or inf (product of the
            marginals).
        solver: a name in `solvers.SOLVERS`, which has the objective that each solver minimises.
        threshold: marginal error (L1, summed over both sides) at which a plan has converged, between 0 and 1. At 1e-5
            the cost is exact to 1e-5 for reg from 0.01 up; for smaller reg, use float64 costs.
        max_iterations: limit for each plan. A plan that reaches it is returned with `converged` false.
        start: potentials f (B, n) and g (B, m) of a coupling for similar costs, in units of the cost. Saves iterations;
            the plan is the same within the threshold. Unused at reg 0 and inf.
        settings: settings of the solver: `steps` of proximal; `reg_marginal` of unbalanced, the penalty on the
            marginals in units of the cost.

    Raises:
        ConfigError: a setting is out of range.
        DataError: `start` does not match the problem.
        NotConverged: the exact solver gave up; the other solvers return a plan with `converged` false.
    """
    row = SOLVERS.get(solver)
    if row is None:
        raise ConfigError(f"solver: {SOLVER_EXPECTED} expected, found {solver}")
    completed = row.completed(settings)
    if fault := row.fault_of(reg, completed):
        raise ConfigError(f"reg: {fault}")
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold: a marginal error between 0 and 1 expected, found {threshold}")
    if max_iterations < 1:
        raise ConfigError(f"max_iterations: at least 1 expected, found {max_iterations}")
    if start is not None:
        _check_start(start, problem)
    if iterates(reg):
        solution: Solution = row.load()(problem, reg, threshold, max_iterations, start, **completed)
        reg_marginal = completed.get("reg_marginal", math.inf)
    else:
        solution, reg_marginal = exact(problem) if reg == 0 else product(problem), math.inf
    potentials = (solution.f, solution.g)
    return Coupling(problem, solution.plan, potentials, solution.iterations, threshold, reg_marginal)


def _check_start(start: tuple[Tensor, Tensor], problem: TransportProblem) -> None:
    for name, potential, mass in zip("fg", start, (problem.a, problem.b), strict=True):
        if potential.shape != mass.shape:
            raise DataError(f"start: {name} of shape {tuple(mass.shape)} expected, found {tuple(potential.shape)}")
        if not torch.isfinite(potential).all():
            raise DataError(f"start: {name} is not finite")


def exact(problem: TransportProblem) -> Solution:
    """Compute the plans of least cost (reg 0) by the network simplex of POT, one by one in float64.

    Raises:
        NotConverged: a plan needs more than `MAX_PIVOTS` pivots.
    """
    import ot  # takes 0.5 s, and no other solver needs it

    C, a, b = (x.detach().double().cpu().numpy() for x in (problem.cost, problem.a, problem.b))
    plans, f, g = np.zeros_like(C), np.zeros_like(a), np.zeros_like(b)
    for k in range(len(C)):
        rows, columns = a[k].nonzero()[0], b[k].nonzero()[0]
        a_k, b_k = a[k, rows], b[k, columns]
        P, log = ot.emd(a_k / a_k.sum(), b_k / b_k.sum(), C[k][np.ix_(rows, columns)], MAX_PIVOTS, log=True)
        if log["warning"] is not None:
            raise NotConverged(f"exact transport: plan {k} of the batch, of shape {P.shape}: {log['warning']}")
        plans[k][np.ix_(rows, columns)] = P
        f[k, rows], g[k, columns] = log["u"], log["v"]
    return _without_iterations(*(torch.from_numpy(x).to(problem.cost) for x in (plans, f, g)))


def product(problem: TransportProblem) -> Solution:
    """Compute the product of the marginals (reg inf), and the limit of the entropic potentials for growing reg."""
    C, a, b = problem.cost.detach(), problem.a, problem.b
    f, g = (C @ b[:, :, None])[:, :, 0], (a[:, None, :] @ C)[:, 0]  # (B, n) and (B, m): mean cost of rows, of columns
    half = (f * a).sum(dim=1, keepdim=True) / 2
    return _without_iterations(a[:, :, None] * b[:, None, :], (f - half) * (a > 0), (g - half) * (b > 0))


def _without_iterations(plan: Tensor, f: Tensor, g: Tensor) -> Solution:
    return Solution(plan, f, g, torch.zeros(len(plan), dtype=torch.int64, device=plan.device))
