"""Entropic transport: the stages that lead to a small reg, and the iterations in torch on any device.

Sinkhorn from nothing needs iterations in proportion to 1 / reg. A solver therefore passes through stages of falling
reg; whatever they are, the last one ends at the entropic plan of its reg. On the CPU `sinkhorn_numba` iterates; the
batched version here, in the log domain, is its readable reference and serves all other devices.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from optical_cli.transport.problem import Solution, Start, TransportProblem
from optical_cli.transport.tuning import FIRST_FACTOR, LARGEST_FACTOR, LOOK_EVERY, Stage

BLUNT = 0.1  # up to here zero potentials are a good start on costs of 0 to 2
RATIO = 4.0  # of one reg to the next
CAREFUL_RATIO = 2.0  # of one reg to the next, for a plan that proved hard
PATIENCE = 1000  # iterations after which it has
WARM_ERROR = 0.1  # marginal error at which the next reg takes over
WARM_ITERATIONS = 40  # and the most that are spent on getting there
SAFETY = 0.95  # aim below the threshold, which is checked in float64 on the plan rounded to its dtype
NOTHING = -1e6  # log of the mass of padding; finite, so that differences of potentials stay numbers


def sinkhorn(problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start) -> Solution:
    """Entropic plans whose marginals hold."""
    return unbalanced(problem, reg, threshold, max_iterations, start, reg_marginal=math.inf)


def unbalanced(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start, *, reg_marginal: float
) -> Solution:
    """Entropic plans with KL penalties of strength `reg_marginal` in place of the marginals.

    All plans go the short way, and those that it leaves unconverged a careful one.
    """
    patience = min(PATIENCE, max_iterations)
    if start is None:
        found = _run(problem, epsilon_scaling(reg, threshold, patience), reg_marginal)
    else:
        found = _run(problem, straight(reg, threshold, patience), reg_marginal, start[0])
    late = found.iterations >= patience
    if patience == max_iterations or not late.any():
        return found
    hard = TransportProblem(problem.cost[late], problem.a[late], problem.b[late])
    stages = careful_scaling(reg, threshold, max_iterations - patience)
    for whole, part in zip(found, _run(hard, stages, reg_marginal), strict=True):
        whole[late] = whole[late] + part if whole is found.iterations else part
    return found


def proximal(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start, *, steps: int
) -> Solution:
    """The entropic plan of reg / steps, by proximal steps of size reg."""
    stages = proximal_steps(reg, steps, threshold, max_iterations)
    return _run(problem, stages, start=None if start is None else start[0])


def straight(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """No detour, for a solver that has potentials to start from."""
    return [Stage(reg, SAFETY * threshold, max_iterations, 1.0)]


def epsilon_scaling(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """A smaller reg begins at the potentials of a larger one (Schmitzer 2019, arXiv 1610.06519)."""
    *larger, _ = _falling_to(reg, RATIO)
    warm = [Stage(each, WARM_ERROR, WARM_ITERATIONS, RATIO) for each in larger]
    return [*warm, Stage(reg, SAFETY * threshold, max_iterations, RATIO)]


def careful_scaling(reg: float, threshold: float, max_iterations: int) -> list[Stage]:
    """Smaller steps, each to the very end, for the few plans that the short way leaves far from their marginals.

    Groups of tokens that hardly touch drift apart by the whole of C / reg: a short way from the end of a reg twice as
    large; from anywhere else the iterations creep.
    """
    regs = _falling_to(reg, CAREFUL_RATIO)
    return [Stage(each, SAFETY * threshold, max_iterations, CAREFUL_RATIO) for each in regs]


def _falling_to(reg: float, ratio: float) -> list[float]:
    regs = [reg]
    while regs[-1] * ratio <= BLUNT:
        regs.append(regs[-1] * ratio)
    return regs[::-1]


def proximal_steps(reg: float, steps: int, threshold: float, max_iterations: int) -> list[Stage]:
    """Inexact proximal point (Xie, Wang, Wang and Zha 2020, arXiv 1802.04307).

    Step k is P_k = argmin <P, C> + reg KL(P | P_(k-1)) from the product of the marginals, by one iteration. Its kernel
    is P_(k-1) exp(-C / reg): the scalings stay and the plan is one of exp(-k C / reg). The last step iterates until
    the marginals are met, so that the result is the entropic plan of reg / steps, however inexact the steps were.

    The batched proximal solver of POT 0.9.7 (`ot.batch`, method "proximal") has a sign error in that kernel, and
    returns about the product of the marginals.
    """
    inner = [Stage(reg / k, 0.0, 1, 1.0) for k in range(1, steps)]
    return [*inner, Stage(reg / steps, SAFETY * threshold, max_iterations, 1.0)]


def _run(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import sinkhorn_numba  # numba is half a second, and of no use beside a GPU

        return sinkhorn_numba.run_stages(problem, stages, reg_marginal, start)
    return run_stages_in_torch(problem, stages, reg_marginal, start)


def run_stages_in_torch(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    """Entropic plans of a batch on its device; arguments as of `sinkhorn_numba.run_stages`.

    Scalings are kept as logarithms: P = exp(phi + psi - C / reg), so that f = reg (phi - log a) and
    g = reg (psi - log b).
    """
    C = problem.cost.detach()
    log_a, log_b = (x.log().clamp(min=NOTHING) for x in (problem.a, problem.b))
    phi = log_a if start is None else log_a + start.to(C) / stages[0].reg
    iterations = torch.zeros(len(C), dtype=torch.int64, device=C.device)
    left = stages[-1].iterations
    for stage, following in pairwise(stages):
        found = _iterate(C, log_a, log_b, phi, stage, reg_marginal, min(stage.iterations, left // 2))
        iterations += found.iterations
        left -= int(found.iterations.max())
        phi = log_a + following.carry * (found.f / stage.reg)
    last = _iterate(C, log_a, log_b, phi, stages[-1], reg_marginal, left)
    return last._replace(
        f=last.f * (problem.a > 0), g=last.g * (problem.b > 0), iterations=iterations + last.iterations
    )


def _iterate(
    C: Tensor, log_a: Tensor, log_b: Tensor, phi: Tensor, stage: Stage, reg_marginal: float, limit: int
) -> Solution:
    """Iterate at one reg from phi (B, n), a plan as long as it has not converged."""
    reg, kappa = stage.reg, stage.reg / reg_marginal  # kappa is 0 for marginals that hold
    plan, f, g = torch.zeros_like(C), torch.zeros_like(log_a), torch.zeros_like(log_b)
    iterations = torch.zeros(len(C), dtype=torch.int64, device=C.device)
    open_ = torch.arange(len(C), device=C.device)
    # What is large moves into the kernel once, so that what is iterated is small and float32 holds it.
    kernel = phi[:, :, None] - C / reg
    top = kernel.amax(dim=1)
    kernel = kernel - top[:, None, :]
    rows = torch.zeros_like(phi)
    columns = top + log_b - (torch.logsumexp(kernel, dim=1) + top) / (1 + kappa)
    factor = torch.ones_like(phi[:, :1])
    seen = torch.full_like(factor, torch.inf)
    for done in range(1, limit + 1):
        look = done % LOOK_EVERY == 0 or done in {1, limit}
        over = torch.ones_like(factor) if look else factor  # a plain iteration, after which the rows are exact
        sent = torch.logsumexp(kernel + columns[:, None, :], dim=2)
        rows = rows + over * (log_a - phi - (sent - phi) / (1 + kappa) - rows)
        received = torch.logsumexp(kernel + rows[:, :, None], dim=1)
        wanted = (log_b - kappa * (columns - top - log_b)).exp()
        error = ((columns + received).exp() - wanted).abs().sum(dim=1)
        columns = columns + over * (top + log_b - (received + top) / (1 + kappa) - columns)
        if not look:
            continue
        ended = (error <= stage.threshold) | torch.tensor(done == limit, device=C.device)
        plan[open_[ended]] = (kernel[ended] + rows[ended, :, None] + columns[ended, None, :]).exp()
        f[open_[ended]] = reg * (phi + rows - log_a)[ended]
        g[open_[ended]] = reg * (columns - top - log_b)[ended]
        iterations[open_[ended]] = done
        factor = _next_factor(factor, error[:, None] / seen)
        seen = error[:, None]
        going = ~ended
        open_, kernel, top, phi, rows, columns = (x[going] for x in (open_, kernel, top, phi, rows, columns))
        log_a, log_b, factor, seen = (x[going] for x in (log_a, log_b, factor, seen))
        if not len(open_):
            break
    return Solution(plan, f, g, iterations)


def _next_factor(factor: Tensor, shrunk: Tensor) -> Tensor:
    """The over-relaxation (B, 1) after LOOK_EVERY iterations with `factor` multiplied the errors by `shrunk`."""
    rate = shrunk ** (1 / LOOK_EVERY)
    plain = ((rate + factor - 1) ** 2 / (rate * factor**2)).clamp(max=1)  # Young's relation: the rate with factor 1
    faster = (2 / (1 + (1 - plain).sqrt())).clamp(min=FIRST_FACTOR, max=LARGEST_FACTOR)
    factor = torch.where(rate > factor - 1, torch.maximum(factor, faster), factor)
    return torch.where(shrunk < 1, factor, torch.ones_like(factor))
