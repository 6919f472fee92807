"""Sinkhorn in torch: batched, in the log domain, on any device. The readable reference of the compiled engine.

The potentials phi and psi are in units of reg: P = exp(phi + psi - C / reg).
"""

from itertools import pairwise

import torch
from torch import Tensor

from optical_cli.transport.annealing import WARM_ERROR, WARM_ITERATIONS, annealed
from optical_cli.transport.problem import TransportProblem

LOOK_EVERY = 16  # iterations between two looks at the errors: a look makes a GPU wait
FIRST_FACTOR = 1.5  # over-relaxation to begin with
LARGEST_FACTOR = 1.98  # 2 would no longer converge
SAFETY = 0.95  # aim below the threshold, which is checked on the plan rounded to its dtype
NOTHING = -1e6  # log of the mass of padding; finite, so that differences of potentials stay numbers


def sinkhorn(problem: TransportProblem, reg: float, threshold: float, max_iterations: int) -> tuple[Tensor, Tensor]:
    """Entropic plans of a batch on its device: plan (B, n, m) and iterations (B,) int64."""
    C = problem.cost.detach()
    log_a, log_b = (x.log().clamp(min=NOTHING) for x in (problem.a, problem.b))
    psi = torch.zeros_like(log_b)
    iterations = torch.zeros(len(C), dtype=torch.int64, device=C.device)
    regs = annealed(reg)
    for warm, following in pairwise(regs):
        allowed = min(WARM_ITERATIONS, (max_iterations - int(iterations.max())) // 2)
        psi, _, spent = _iterate(C, log_a, log_b, psi, warm, WARM_ERROR, allowed)
        iterations += spent
        psi = psi * (warm / following)
    left = max_iterations - int(iterations.max())
    psi, plan, spent = _iterate(C, log_a, log_b, psi, reg, SAFETY * threshold, left)
    return plan, iterations + spent


def _iterate(
    C: Tensor, log_a: Tensor, log_b: Tensor, psi: Tensor, reg: float, threshold: float, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Iterate at one reg; returns psi (B, m), the plans (B, n, m) and the iterations of each plan (B,)."""
    psi = psi.clone()
    plan = torch.zeros_like(C)
    iterations = torch.zeros(len(C), dtype=torch.int64, device=C.device)
    open_ = torch.arange(len(C), device=C.device)
    # What is large moves into the kernel once, so that the iterated potentials are small and float32 holds them.
    kernel = psi[:, None, :] - C / reg
    kernel = kernel - kernel.amax(dim=2, keepdim=True)
    shift = torch.zeros_like(psi)
    phi = log_a - torch.logsumexp(kernel, dim=2)
    factor = torch.ones_like(psi[:, :1])
    seen = torch.full_like(factor, torch.inf)
    for done in range(1, limit + 1):
        look = done % LOOK_EVERY == 0 or done in {1, limit}
        over = torch.ones_like(factor) if look else factor  # a plain iteration, after which the rows are exact
        phi = phi + over * (log_a - torch.logsumexp(kernel + shift[:, None, :], dim=2) - phi)
        received = torch.logsumexp(kernel + phi[:, :, None], dim=1)
        error = ((shift + received).exp() - log_b.exp()).abs().sum(dim=1)
        shift = shift + over * (log_b - received - shift)
        if not look:
            continue
        ended = (error <= threshold) | torch.tensor(done == limit, device=C.device)
        psi[open_[ended]] += shift[ended]
        plan[open_[ended]] = (kernel[ended] + phi[ended, :, None] + shift[ended, None, :]).exp()
        iterations[open_[ended]] = done
        factor = _next_factor(factor, error[:, None] / seen)
        seen = error[:, None]
        going = ~ended
        open_, kernel, phi, shift = open_[going], kernel[going], phi[going], shift[going]
        log_a, log_b, factor, seen = log_a[going], log_b[going], factor[going], seen[going]
        if not len(open_):
            break
    return psi, plan, iterations


def _next_factor(factor: Tensor, shrunk: Tensor) -> Tensor:
    """The over-relaxation (B, 1) after LOOK_EVERY iterations with `factor` multiplied the errors by `shrunk`."""
    rate = shrunk ** (1 / LOOK_EVERY)
    plain = ((rate + factor - 1) ** 2 / (rate * factor**2)).clamp(max=1)  # Young's relation: the rate with factor 1
    faster = (2 / (1 + (1 - plain).sqrt())).clamp(min=FIRST_FACTOR, max=LARGEST_FACTOR)
    factor = torch.where(rate > factor - 1, torch.maximum(factor, faster), factor)
    return torch.where(shrunk < 1, factor, torch.ones_like(factor))
