"""Choosing how a transport problem is solved."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from optical_cli.errors import ConfigError, DataError
from optical_cli.transport import limits, stages
from optical_cli.transport.coupling import Coupling
from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.stages import Stage

SMALLEST_REG = 0.001

Solver = Literal["sinkhorn", "exact", "proximal", "unbalanced", "quadratic"]


@torch.no_grad()
def solve(
    problem: TransportProblem,
    reg: float,
    solver: Solver = "sinkhorn",
    *,
    reg_marginal: float = 1.0,
    steps: int = 10,
    threshold: float = 1e-5,
    max_iterations: int = 10_000,
    start: tuple[Tensor, Tensor] | None = None,
) -> Coupling:
    """Find the plans that minimise <P, C> and a regularization among those with the problem's marginals.

    | solver | minimises | reg 0 | reg inf |
    |---|---|---|---|
    | sinkhorn | <P, C> + reg sum P (log P - 1) | exact | product |
    | exact | <P, C> | exact | refused |
    | proximal | as sinkhorn with reg / steps, reached by that many proximal steps of size reg | exact | product |
    | unbalanced | <P, C> + reg KL(P, ab') + reg_marginal (KL(P1, a) + KL(P'1, b)), marginals free | refused | product |
    | quadratic | <P, C> + reg / 2 sum P^2 / (ab'), whose plans are sparse | exact | product |

    "exact" is a plan of least cost, "product" that of the marginals, ab': the limits of the solver, in closed form.

    Args:
        problem: costs and marginals of a batch. Its costs are read without their graph.
        reg: strength of the regularization in units of the cost: 0, from 0.001 up, or `math.inf`.
        solver: see above. On the CPU compiled code solves plan by plan, on other devices torch the whole batch.
        reg_marginal: strength of the penalty on the marginals in units of the cost, above 0; inf holds them.
            Of the unbalanced solver alone.
        steps: of the proximal solver alone; reg / steps is at least 0.001.
        threshold: marginal error (L1, both sides) at which a plan is done; between 0 and 1. At 1e-5 the cost is within
            1e-5 of itself for reg from 0.01 up; below, give float64 costs.
        max_iterations: of each plan. A plan that needs more is returned as it is, and its `converged` is false.
        start: potentials (B, n) and (B, m) to begin with, in units of the cost, such as those of a coupling of nearly
            the same costs. Moves the plan within the threshold, no further. The limits have no use for it.

    Raises:
        ConfigError: a setting out of its range.
        DataError: `start` does not fit the problem.
        NotConverged: the exact solver gave up (the others mark the plan instead).
    """
    _check(reg, solver, reg_marginal, steps, threshold, max_iterations)
    f, g = _checked_start(start, problem)
    if reg == 0:
        solution, relaxed = limits.exact(problem), math.inf
    elif math.isinf(reg):
        solution, relaxed = limits.product(problem), math.inf
    elif solver == "quadratic":
        solution, relaxed = _quadratic(problem, reg, threshold, max_iterations, g), math.inf
    else:
        relaxed = reg_marginal if solver == "unbalanced" else math.inf
        if solver == "proximal":
            way = stages.proximal_steps(reg, steps, threshold, max_iterations)
            solution = _sinkhorn(problem, way, relaxed, f)
        else:
            solution = _entropic(problem, reg, relaxed, threshold, max_iterations, f)
    return Coupling(problem, solution.plan, (solution.f, solution.g), solution.iterations, threshold, relaxed)


def _check(reg: float, solver: Solver, reg_marginal: float, steps: int, threshold: float, max_iterations: int) -> None:
    if solver not in get_args(Solver):
        raise ConfigError(f"solver is one of {', '.join(get_args(Solver))}; got {solver}")
    if not (reg == 0 or reg >= SMALLEST_REG):
        raise ConfigError(f"reg is 0 (exact), a number from {SMALLEST_REG} up, or inf (product); got {reg}")
    if solver == "exact" and reg != 0:
        raise ConfigError(f"the exact solver has no regularization: reg is 0; got {reg}")
    if solver == "unbalanced":
        if reg == 0:
            raise ConfigError(f"the unbalanced solver is entropic: reg is {SMALLEST_REG} at least; got 0")
        if not reg_marginal > 0:
            raise ConfigError(f"reg_marginal is above 0; got {reg_marginal}")
    if solver == "proximal" and (steps < 1 or 0 < reg / steps < SMALLEST_REG):
        raise ConfigError(f"steps is at least 1 and reg / steps at least {SMALLEST_REG}; got {reg} / {steps}")
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold is a marginal error between 0 and 1; got {threshold}")
    if max_iterations < 1:
        raise ConfigError(f"max_iterations is at least 1; got {max_iterations}")


def _checked_start(
    start: tuple[Tensor, Tensor] | None, problem: TransportProblem
) -> tuple[Tensor, Tensor] | tuple[None, None]:
    if start is None:
        return None, None
    for side, mass in zip(start, (problem.a, problem.b), strict=True):
        if side.shape != mass.shape or not torch.isfinite(side).all():
            raise DataError(f"start has the potentials {tuple(mass.shape)}, finite; these are {tuple(side.shape)}")
    return start


def _entropic(
    problem: TransportProblem,
    reg: float,
    reg_marginal: float,
    threshold: float,
    max_iterations: int,
    start: Tensor | None,
) -> Solution:
    """The short way for all plans, a careful one for those that it leaves unconverged."""
    patience = min(stages.PATIENCE, max_iterations)
    short = stages.epsilon_scaling if start is None else stages.straight
    found = _sinkhorn(problem, short(reg, threshold, patience), reg_marginal, start)
    late = found.iterations >= patience
    if patience == max_iterations or not late.any():
        return found
    hard = TransportProblem(problem.cost[late], problem.a[late], problem.b[late])
    way = stages.careful_scaling(reg, threshold, max_iterations - patience)
    for whole, part in zip(found, _sinkhorn(hard, way, reg_marginal, None), strict=True):
        whole[late] = whole[late] + part if whole is found.iterations else part
    return found


def _sinkhorn(problem: TransportProblem, way: list[Stage], reg_marginal: float, start: Tensor | None) -> Solution:
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import sinkhorn_numba  # numba is half a second, and of no use beside a GPU

        return sinkhorn_numba.sinkhorn(problem, way, reg_marginal, start)
    from optical_cli.transport import sinkhorn_torch

    return sinkhorn_torch.sinkhorn(problem, way, reg_marginal, start)


def _quadratic(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Tensor | None
) -> Solution:
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import quadratic_numba  # as above

        return quadratic_numba.quadratic(problem, reg, threshold, max_iterations, start)
    from optical_cli.transport import quadratic_torch

    return quadratic_torch.quadratic(problem, reg, threshold, max_iterations, start)
