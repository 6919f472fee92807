"""Entropic transport: stages of falling reg, and Sinkhorn's iterations in torch on any device.

From zero potentials, the number of Sinkhorn iterations grows as 1 / reg. The solvers therefore pass through stages of
falling reg. The stages only save iterations: the last one ends at the entropic plan of its reg from any start.

On the CPU, `sinkhorn_numba` runs the stages. The batched log-domain version in this module is its readable reference
and runs on all other devices.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from optical_cli.transport.problem import Solution, Start, TransportProblem, widest
from optical_cli.transport.tuning import FIRST_FACTOR, LARGEST_FACTOR, LOOK_EVERY, Stage

BLUNT = 0.1  # from this reg up, zero potentials are a good start for costs of 0 to 2
RATIO = 4.0  # each reg on the way down, divided by the next
CAREFUL_RATIO = 2.0  # the same ratio for plans that are hard to solve
PATIENCE = 1000  # iterations after which a plan counts as hard
WARM_ERROR = 0.1  # marginal error at which the next reg starts
WARM_ITERATIONS = 40  # limit of iterations at a reg above the last
SAFETY = 0.95  # aim below the threshold, which is checked in float64 on the plan rounded to its dtype
LOG_NO_MASS = -1e6  # log mass of padding; finite, so that no difference of potentials is nan


def sinkhorn(problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start) -> Solution:
    """Compute entropic plans with the marginals of the problem."""
    return unbalanced(problem, reg, threshold, max_iterations, start, reg_marginal=math.inf)


def unbalanced(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start, *, reg_marginal: float
) -> Solution:
    """Compute entropic plans with KL penalties of strength `reg_marginal` in place of fixed marginals.

    Plans that have not converged after `PATIENCE` iterations are solved again with `careful_scaling`.
    """
    patience = min(PATIENCE, max_iterations)
    if start is None:
        solution = _run(problem, epsilon_scaling(reg, threshold, patience), reg_marginal)
    else:
        solution = _run(problem, straight(reg, threshold, patience), reg_marginal, start[0])
    late = solution.iterations >= patience
    if patience == max_iterations or not late.any():
        return solution
    hard = TransportProblem(problem.cost[late], problem.a[late], problem.b[late])
    stages = careful_scaling(reg, threshold, max_iterations - patience)
    for whole, part in zip(solution, _run(hard, stages, reg_marginal), strict=True):
        whole[late] = whole[late] + part if whole is solution.iterations else part
    return solution


def proximal(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start, *, steps: int
) -> Solution:
    """Compute the entropic plans of reg / steps, by proximal steps of size reg."""
    stages = proximal_steps(reg, steps, threshold, max_iterations)
    return _run(problem, stages, start=None if start is None else start[0])


def straight(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """Return the one stage of a solver that starts from given potentials."""
    return [Stage(reg, SAFETY * threshold, max_iterations, 1.0)]


def epsilon_scaling(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """Return stages of falling reg, each started from the potentials of the one before.

    This is epsilon scaling (Schmitzer 2019, arXiv 1610.06519).
    """
    *larger, _ = _falling_to(reg, RATIO)
    warm = [Stage(each, WARM_ERROR, WARM_ITERATIONS, RATIO) for each in larger]
    return [*warm, Stage(reg, SAFETY * threshold, max_iterations, RATIO)]


def careful_scaling(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """Return smaller steps of reg, each solved to the threshold, for plans that do not converge otherwise.

    In such plans, groups of tokens exchange almost no mass, and their potentials move apart by as much as C / reg.
    Sinkhorn covers that distance quickly from the solution at twice the reg, and slowly from any other start.
    """
    regs = _falling_to(reg, CAREFUL_RATIO)
    return [Stage(each, SAFETY * threshold, max_iterations, CAREFUL_RATIO) for each in regs]


def _falling_to(reg: float, ratio: float) -> list[float]:
    regs = [reg]
    while regs[-1] * ratio <= BLUNT:
        regs.append(regs[-1] * ratio)
    return regs[::-1]


def proximal_steps(reg: float, steps: int, threshold: float, max_iterations: int) -> list[Stage]:
    """Return the stages of the inexact proximal point method (Xie, Wang, Wang and Zha 2020, arXiv 1802.04307).

    Step k, one iteration, approximates P_k = argmin <P, C> + reg KL(P | P_(k-1)); P_0 is the product of the marginals.
    Its kernel is P_(k-1) exp(-C / reg), so P_k is a scaling of exp(-k C / reg), and the scalings carry over to the next
    step. The last step iterates until the marginals hold. The result is the entropic plan of reg / steps, however
    inexact the earlier steps were.

    The batched proximal solver of POT 0.9.7 (`ot.batch`, method "proximal") has a sign error in this kernel and returns
    approximately the product of the marginals.
    """
    inner = [Stage(reg / k, 0.0, 1, 1.0) for k in range(1, steps)]
    return [*inner, Stage(reg / steps, SAFETY * threshold, max_iterations, 1.0)]


def _run(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import sinkhorn_numba  # importing numba takes 0.5 s, and a GPU does not need it

        return sinkhorn_numba.run_stages(problem, stages, reg_marginal, start)
    return run_stages_in_torch(problem, stages, reg_marginal, start)


def run_stages_in_torch(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    """Compute the entropic plans of a batch in torch, on its device.

    Scalings are logarithms: P = exp(phi + psi - C / reg), so that f = reg (phi - log a) and g = reg (psi - log b).
    Iterations are in float64: rounding logarithms to float32 left up to two thirds of the plans above a threshold of
    1e-5 at small reg.

    Args:
        problem: costs and marginals.
        stages: the last one has the reg and the limit of iterations of the plans.
        reg_marginal: strength of the penalty on the marginals, in units of the cost; inf if the marginals must hold.
        start: (B, n) initial potentials f of the rows, in units of the cost; None for zeros.
    """
    C = problem.cost.detach().to(widest(problem.cost.device))
    log_a, log_b = (x.to(C).log().clamp(min=LOG_NO_MASS) for x in (problem.a, problem.b))
    phi = log_a if start is None else log_a + start.to(C) / stages[0].reg
    iterations = torch.zeros(len(C), dtype=torch.int64, device=C.device)
    left = stages[-1].iterations
    for stage, following in pairwise(stages):
        solution = _iterate(C, log_a, log_b, phi, stage, reg_marginal, min(stage.iterations, left // 2))
        iterations += solution.iterations
        left -= int(solution.iterations.max())
        phi = log_a + following.carry * (solution.f / stage.reg)
    last = _iterate(C, log_a, log_b, phi, stages[-1], reg_marginal, left)
    f, g = last.f * (problem.a > 0), last.g * (problem.b > 0)
    plan, f, g = (x.to(problem.cost) for x in (last.plan, f, g))
    return Solution(plan, f, g, iterations + last.iterations)


def _iterate(
    C: Tensor, log_a: Tensor, log_b: Tensor, phi: Tensor, stage: Stage, reg_marginal: float, limit: int
) -> Solution:
    """Iterate at one reg from phi (B, n); plans leave the batch as they converge."""
    reg, kappa = stage.reg, stage.reg / reg_marginal  # kappa is 0 if the marginals must hold
    plan, f, g = torch.zeros_like(C), torch.zeros_like(log_a), torch.zeros_like(log_b)
    iterations = torch.zeros(len(C), dtype=torch.int64, device=C.device)
    active = torch.arange(len(C), device=C.device)  # plans that have not converged
    # The large numbers go into the kernel once, so that the iterates are small enough for float32.
    kernel = phi[:, :, None] - C / reg  # (B, n, m)
    top = kernel.amax(dim=1)  # (B, m)
    kernel = kernel - top[:, None, :]
    rows = torch.zeros_like(phi)  # (B, n) log scalings, beyond phi
    columns = top + log_b - (torch.logsumexp(kernel, dim=1) + top) / (1 + kappa)  # (B, m) log scalings
    factor = torch.ones_like(phi[:, :1])
    previous_error = torch.full_like(factor, torch.inf)
    for done in range(1, limit + 1):
        check = done % LOOK_EVERY == 0 or done in {1, limit}
        over = torch.ones_like(factor) if check else factor  # the rows are exact after a plain iteration only
        sent = torch.logsumexp(kernel + columns[:, None, :], dim=2)
        rows = rows + over * (log_a - phi - (sent - phi) / (1 + kappa) - rows)
        received = torch.logsumexp(kernel + rows[:, :, None], dim=1)
        wanted = (log_b - kappa * (columns - top - log_b)).exp()
        error = ((columns + received).exp() - wanted).abs().sum(dim=1)
        columns = columns + over * (top + log_b - (received + top) / (1 + kappa) - columns)
        if not check:
            continue
        ended = (error <= stage.threshold) | torch.tensor(done == limit, device=C.device)
        plan[active[ended]] = (kernel[ended] + rows[ended, :, None] + columns[ended, None, :]).exp()
        f[active[ended]] = reg * (phi + rows - log_a)[ended]
        g[active[ended]] = reg * (columns - top - log_b)[ended]
        iterations[active[ended]] = done
        factor = _next_factor(factor, error[:, None] / previous_error)
        previous_error = error[:, None]
        going = ~ended
        active, kernel, top, phi, rows, columns = (x[going] for x in (active, kernel, top, phi, rows, columns))
        log_a, log_b, factor, previous_error = (x[going] for x in (log_a, log_b, factor, previous_error))
        if not len(active):
            break
    return Solution(plan, f, g, iterations)


def _next_factor(factor: Tensor, shrunk: Tensor) -> Tensor:
    """Compute the next over-relaxation (B, 1) after LOOK_EVERY iterations with `factor`.

    `shrunk` (B, 1) is what these iterations multiplied the marginal errors by.
    """
    rate = shrunk ** (1 / LOOK_EVERY)
    plain = ((rate + factor - 1) ** 2 / (rate * factor**2)).clamp(max=1)  # Young's relation: the rate with factor 1
    faster = (2 / (1 + (1 - plain).sqrt())).clamp(min=FIRST_FACTOR, max=LARGEST_FACTOR)
    factor = torch.where(rate > factor - 1, torch.maximum(factor, faster), factor)
    return torch.where(shrunk < 1, factor, torch.ones_like(factor))
