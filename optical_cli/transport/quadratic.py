"""Quadratic regularization: sparse plans, by Newton's method in torch on any device.

The plan that minimises <P, C> + reg / 2 * sum P_ij^2 / (a_i b_j) is P_ij = a_i b_j max(0, f_i + g_j - C_ij) / reg,
where the potentials f and g maximise a concave dual, quadratic in pieces (Blondel, Seguy and Rolet 2018,
arXiv 1710.06276). An iteration meets the marginals of the rows exactly, then those of the columns, then takes a
semi-smooth Newton step (Lorenz, Manns and Meyer 2019, arXiv 1903.01112) on what the rows are now off. Conjugate
gradients over the support make the step: however early they end, it is a direction of ascent. Each plan starts at a reg
that makes nearly all of its entries positive, and passes through smaller ones.

On the CPU `quadratic_numba` iterates; the batched version here is its readable reference and serves all other devices.
Its shapes: potentials f and marginals a of the teacher side (B, n, 1), g and b of the student side (B, 1, m), a number
for each plan (B, 1, 1). Tokens without mass have potentials like all others, and weigh nothing.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from optical_cli.transport.problem import Solution, Start, TransportProblem
from optical_cli.transport.tuning import DAMPING, FLAT, RATIO, RESIDUAL, SAFETY, TOP, TRIALS, WARM_ERROR


def quadratic(problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start) -> Solution:
    """Quadratically regularized plans; potentials are unique up to a constant for each connected part of the support.

    `max_iterations` counts those at all the regs that a plan passes through; plans with a start begin at `reg` itself.
    """
    g = None if start is None else start[1]
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import quadratic_numba  # numba is half a second, and of no use beside a GPU

        return quadratic_numba.quadratic(problem, reg, threshold, max_iterations, g)
    return quadratic_in_torch(problem, reg, threshold, max_iterations, g)


class _Plans(NamedTuple):
    """The plans still worked on: costs, marginals, potentials and the present reg."""

    C: Tensor
    a: Tensor
    b: Tensor
    f: Tensor
    g: Tensor
    reg: Tensor

    def entries(self) -> Tensor:
        """(B, n, m) reg P_ij / (a_i b_j)."""
        return (self.f + self.g - self.C).clamp(min=0)

    def at(self, which: Tensor) -> "_Plans":
        return _Plans(*(x[which] for x in self))


def quadratic_in_torch(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Tensor | None = None
) -> Solution:
    """Quadratically regularized plans of a batch on its device, from potentials g (B, m) on if a start is given."""
    plans = _begin(problem, reg, start)
    open_ = torch.arange(len(plans.C), device=plans.C.device)
    iterations = torch.zeros_like(open_)
    f, g, P = plans.f.clone(), plans.g.clone(), torch.empty_like(plans.C)
    for done in range(1, max_iterations + 1):
        last = torch.tensor(done == max_iterations, device=open_.device)
        if 2 * done > max_iterations:
            plans = plans._replace(reg=torch.full_like(plans.reg, reg))
        plans = plans._replace(f=_met(plans.C - plans.g, plans.b, plans.reg, 2))
        plans = plans._replace(g=_met(plans.C - plans.f, plans.a, plans.reg, 1))
        error = _row_error(plans)
        arrived = plans.reg == reg
        ended = (arrived & ((error <= SAFETY * threshold) | last))[:, 0, 0]
        f[open_[ended]], g[open_[ended]] = plans.f[ended], plans.g[ended]
        P[open_[ended]] = plans.at(ended).entries() / reg
        iterations[open_[ended]] = done
        open_, plans, error, arrived = open_[~ended], plans.at(~ended), error[~ended], arrived[~ended]
        if not len(open_):
            break
        next_ = ~arrived & (error <= WARM_ERROR)
        df, dg = _newton_step(plans, DAMPING * error.clamp(min=1e-9, max=1))  # never 0: padding may lack support
        length = torch.where(next_, 0, _search(plans, df, dg))
        reg_now = torch.where(next_, (plans.reg / RATIO).clamp(min=reg), plans.reg)
        plans = plans._replace(g=plans.g + length * dg, reg=reg_now)  # f is met anew
    return _solution(problem, P, f, g, iterations)


def _begin(problem: TransportProblem, reg: float, start: Tensor | None) -> _Plans:
    wide = torch.float32 if problem.cost.device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    C, a, b = (x.detach().to(wide) for x in (problem.cost, problem.a, problem.b))
    a, b = a / a.sum(dim=1, keepdim=True), b / b.sum(dim=1, keepdim=True)
    a, b = a[:, :, None], b[:, None, :]
    if start is not None:
        return _Plans(C, a, b, torch.zeros_like(a), start.to(wide)[:, None, :], torch.full_like(C[:, :1, :1], reg))
    of_rows, of_columns = (C * b).sum(dim=2, keepdim=True), (C * a).sum(dim=1, keepdim=True)
    g = of_columns - (of_columns * b).sum(dim=2, keepdim=True)  # as at a large reg
    dearest = torch.where(a * b > 0, C - of_rows - g, -torch.inf).amax(dim=(1, 2), keepdim=True)
    return _Plans(C, a, b, torch.zeros_like(a), g, (dearest / RATIO).clamp(min=reg))


def _solution(problem: TransportProblem, P: Tensor, f: Tensor, g: Tensor, iterations: Tensor) -> Solution:
    a, b, dtype = problem.a, problem.b, problem.cost.dtype
    plan = (P * a[:, :, None] * b[:, None, :]).to(dtype)
    return Solution(
        plan, torch.where(a > 0, f[:, :, 0].to(dtype), 0), torch.where(b > 0, g[:, 0].to(dtype), 0), iterations
    )


def _met(prices: Tensor, mass: Tensor, reg: Tensor, dim: int) -> Tensor:
    """The potential p at which sum_j mass_j max(0, p - prices_j) = reg, sums over `dim`.

    For every set of j, p is at most (reg + sum mass_j prices_j) / sum mass_j, and it is equal for the right set,
    which holds the lowest prices.
    """
    prices, order = prices.sort(dim=dim)
    mass = mass.expand_as(prices).gather(dim, order)
    return ((reg + (mass * prices).cumsum(dim)) / mass.cumsum(dim)).amin(dim=dim, keepdim=True)


def _row_error(plans: _Plans) -> Tensor:
    """(B, 1, 1), the marginal error: the columns have just been met."""
    received = (plans.b * plans.entries()).sum(dim=2, keepdim=True)
    return (plans.a * (received / plans.reg - 1).abs()).sum(dim=1, keepdim=True)


def _newton_step(plans: _Plans, damping: Tensor) -> tuple[Tensor, Tensor]:
    """The step (df, dg) that would meet all marginals if the support stayed as it is; rows are eliminated first."""
    a, b, entries = plans.a, plans.b, plans.entries()
    support = (entries > 0).to(entries.dtype)
    of_rows = damping + (b * support).sum(dim=2, keepdim=True)
    of_columns = damping + (a * support).sum(dim=1, keepdim=True)
    missing = plans.reg - (b * entries).sum(dim=2, keepdim=True)
    residual = plans.reg - (a * entries).sum(dim=1, keepdim=True)
    residual = residual - (a * support * (missing / of_rows)).sum(dim=1, keepdim=True)
    dg = _conjugate_gradients(support, a / of_rows, of_columns, b, residual)
    return (missing - (b * support * dg).sum(dim=2, keepdim=True)) / of_rows, dg


def _conjugate_gradients(support: Tensor, weights: Tensor, diagonal: Tensor, b: Tensor, residual: Tensor) -> Tensor:
    """Solve diagonal * x - S' (weights * S (b * x)) = residual (B, 1, m), in the inner product that b weighs."""
    x = torch.zeros_like(residual)
    direction = residual / diagonal
    norm = (b * residual * direction).sum(dim=2, keepdim=True)
    enough = RESIDUAL**2 * norm
    for _ in range(4 * x.shape[2]):
        inner = support @ (b * direction).mT  # (B, n, m) @ (B, m, 1)
        image = diagonal * direction - (weights * inner).mT @ support  # (B, 1, n) @ (B, n, m)
        curvature = (b * direction * image).sum(dim=2, keepdim=True)
        going = (norm > enough) & (curvature > 0)
        if not going.any():
            break
        length = torch.where(going, norm / curvature, 0)
        x = x + length * direction
        residual = residual - length * image
        before, norm = norm, (b * residual * residual / diagonal).sum(dim=2, keepdim=True)
        direction = residual / diagonal + torch.where(going, norm / before, 0) * direction
    return x


def _search(plans: _Plans, df: Tensor, dg: Tensor) -> Tensor:
    """(B, 1, 1) how far to go along (df, dg): to where the dual has risen and its slope is all but zero."""
    weights, change = plans.a * plans.b, df + dg
    linear = plans.reg * (weights * change).sum(dim=(1, 2), keepdim=True)
    first = linear - (weights * plans.entries() * change).sum(dim=(1, 2), keepdim=True)
    low, high, length = torch.zeros_like(first), torch.full_like(first, torch.inf), torch.ones_like(first)
    going = first > 0
    for _ in range(TRIALS):
        entries = (plans.f + plans.g - plans.C + length * change).clamp(min=0)
        slope = linear - (weights * entries * change).sum(dim=(1, 2), keepdim=True)
        curvature = (weights * (entries > 0) * change**2).sum(dim=(1, 2), keepdim=True)
        found = (slope >= -TOP * first) & (slope <= FLAT * first)
        low = torch.where(going & (found | (slope > 0)), length, low)
        high = torch.where(going & (slope < 0), length, high)
        going = going & ~found
        if not going.any():
            break
        length = torch.where(going, _next_length(low, high, length + slope / curvature), length)
    return low


def _next_length(low: Tensor, high: Tensor, newton: Tensor) -> Tensor:
    """Newton's proposal if it lies between the brackets, else a plain one; where none is above, 16 times at most."""
    plain = torch.where(high < torch.inf, (low + high) / 2, 4 * low)
    length = torch.where((newton > low) & (newton < high), newton, plain)
    return torch.where(high < torch.inf, length, torch.minimum(length, 16 * low))
