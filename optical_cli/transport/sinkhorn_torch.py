"""Entropic transport in torch: batched, in the log domain, on any device; the readable reference of the compiled one.

Scalings are kept as logarithms: P = exp(phi + psi - C / reg), so that f = reg (phi - log a) and g = reg (psi - log b).
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.stages import Stage

LOOK_EVERY = 16  # iterations between two looks at the errors: a look makes a GPU wait
FIRST_FACTOR = 1.5  # over-relaxation to begin with
LARGEST_FACTOR = 1.98  # 2 would no longer converge
NOTHING = -1e6  # log of the mass of padding; finite, so that differences of potentials stay numbers


def sinkhorn(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    """Entropic plans of a batch on its device; arguments as of the compiled engine."""
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
