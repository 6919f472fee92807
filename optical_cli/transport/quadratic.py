"""Quadratic regularization: sparse plans, by Newton's method in torch on any device.

The plan that minimises <P, C> + reg / 2 * sum P_ij^2 / (a_i b_j) is P_ij = a_i b_j max(0, f_i + g_j - C_ij) / reg. Its
potentials f and g maximise a concave, piecewise quadratic dual (Blondel, Seguy and Rolet 2018, arXiv 1710.06276).

An iteration solves for the potentials of the rows given those of the columns, then for the columns given the rows, and
then takes a semi-smooth Newton step (Lorenz, Manns and Meyer 2019, arXiv 1903.01112) on the remaining error of the
rows. Conjugate gradients over the support compute the step, which is a direction of ascent however early they stop.
Each plan starts at a reg at which nearly all of its entries are positive, and passes through smaller ones.

On the CPU, `quadratic_numba` does this plan by plan. The batched version in this module is its readable reference and
runs on all other devices. Shapes: f and a of the teacher side are (B, n, 1), g and b of the student side (B, 1, m), a
number for each plan (B, 1, 1). Tokens without mass have potentials too, with weight 0.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from optical_cli.transport.problem import Solution, Start, TransportProblem, widest
from optical_cli.transport.tuning import DAMPING, FLAT, RATIO, RESIDUAL, SAFETY, TOP, TRIALS, WARM_ERROR


def quadratic(problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Start) -> Solution:
    """Compute quadratically regularized plans.

    Potentials are unique up to a constant for each connected component of the support. `max_iterations` limits the
    iterations over all regs that a plan passes through. Plans with a start begin at `reg` itself.
    """
    g = None if start is None else start[1]
    if problem.cost.device.type == "cpu":
        from optical_cli.transport import quadratic_numba  # importing numba takes 0.5 s, and a GPU does not need it

        return quadratic_numba.quadratic(problem, reg, threshold, max_iterations, g)
    return quadratic_in_torch(problem, reg, threshold, max_iterations, g)


class _Plans(NamedTuple):
    """Costs, marginals, potentials and current reg of the plans that have not converged."""

    C: Tensor
    a: Tensor
    b: Tensor
    f: Tensor
    g: Tensor
    reg: Tensor

    def entries(self) -> Tensor:
        """(B, n, m) the entries reg P_ij / (a_i b_j)."""
        return (self.f + self.g - self.C).clamp(min=0)

    def where(self, mask: Tensor) -> "_Plans":
        return _Plans(*(x[mask] for x in self))


def quadratic_in_torch(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Tensor | None = None
) -> Solution:
    """Compute quadratically regularized plans in torch, on the device of the batch.

    `start` (B, m) has initial potentials g of the columns, in units of the cost.
    """
    plans = _begin(problem, reg, start)
    active = torch.arange(len(plans.C), device=plans.C.device)  # plans that have not converged
    iterations = torch.zeros_like(active)
    f, g, P = plans.f.clone(), plans.g.clone(), torch.empty_like(plans.C)
    for done in range(1, max_iterations + 1):
        last = torch.tensor(done == max_iterations, device=active.device)
        if 2 * done > max_iterations:
            plans = plans._replace(reg=torch.full_like(plans.reg, reg))
        plans = plans._replace(f=_potentials(plans.C - plans.g, plans.b, plans.reg, 2))
        plans = plans._replace(g=_potentials(plans.C - plans.f, plans.a, plans.reg, 1))
        error = _row_error(plans)
        arrived = plans.reg == reg
        ended = (arrived & ((error <= SAFETY * threshold) | last))[:, 0, 0]
        f[active[ended]], g[active[ended]] = plans.f[ended], plans.g[ended]
        P[active[ended]] = plans.where(ended).entries() / reg
        iterations[active[ended]] = done
        active, plans, error, arrived = active[~ended], plans.where(~ended), error[~ended], arrived[~ended]
        if not len(active):
            break
        lower_reg = ~arrived & (error <= WARM_ERROR)
        df, dg = _newton_step(plans, DAMPING * error.clamp(min=1e-9, max=1))  # never 0: padding may lack support
        length = torch.where(lower_reg, 0, _search(plans, df, dg))
        reg_now = torch.where(lower_reg, (plans.reg / RATIO).clamp(min=reg), plans.reg)
        plans = plans._replace(g=plans.g + length * dg, reg=reg_now)  # f is computed from g in the next iteration
    return _solution(problem, P, f, g, iterations)


def _begin(problem: TransportProblem, reg: float, start: Tensor | None) -> _Plans:
    wide = widest(problem.cost.device)
    C, a, b = (x.detach().to(wide) for x in (problem.cost, problem.a, problem.b))
    a, b = a / a.sum(dim=1, keepdim=True), b / b.sum(dim=1, keepdim=True)
    a, b = a[:, :, None], b[:, None, :]
    if start is not None:
        return _Plans(C, a, b, torch.zeros_like(a), start.to(wide)[:, None, :], torch.full_like(C[:, :1, :1], reg))
    mean_of_rows, mean_of_columns = (C * b).sum(dim=2, keepdim=True), (C * a).sum(dim=1, keepdim=True)
    g = mean_of_columns - (mean_of_columns * b).sum(dim=2, keepdim=True)  # the limit for a large reg
    largest = torch.where(a * b > 0, C - mean_of_rows - g, -torch.inf).amax(dim=(1, 2), keepdim=True)
    return _Plans(C, a, b, torch.zeros_like(a), g, (largest / RATIO).clamp(min=reg))


def _solution(problem: TransportProblem, P: Tensor, f: Tensor, g: Tensor, iterations: Tensor) -> Solution:
    a, b, dtype = problem.a, problem.b, problem.cost.dtype
    plan = (P * a[:, :, None] * b[:, None, :]).to(dtype)
    return Solution(
        plan, torch.where(a > 0, f[:, :, 0].to(dtype), 0), torch.where(b > 0, g[:, 0].to(dtype), 0), iterations
    )


def _potentials(prices: Tensor, mass: Tensor, reg: Tensor, dim: int) -> Tensor:
    """Solve sum_j mass_j max(0, p - prices_j) = reg for the potentials p, with the sum over `dim`.

    For every set of j, p is at most (reg + sum mass_j prices_j) / sum mass_j. Equality holds for the set of the j with
    prices below p, which are the lowest prices.
    """
    prices, order = prices.sort(dim=dim)
    mass = mass.expand_as(prices).gather(dim, order)
    return ((reg + (mass * prices).cumsum(dim)) / mass.cumsum(dim)).amin(dim=dim, keepdim=True)


def _row_error(plans: _Plans) -> Tensor:
    """Return the marginal error (B, 1, 1), that of the rows: the columns are exact at this point."""
    received = (plans.b * plans.entries()).sum(dim=2, keepdim=True)
    return (plans.a * (received / plans.reg - 1).abs()).sum(dim=1, keepdim=True)


def _newton_step(plans: _Plans, damping: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the step (df, dg) after which all marginals would hold if the support did not change.

    The rows are eliminated from the linear system, and conjugate gradients solve it for the columns.
    """
    a, b, entries = plans.a, plans.b, plans.entries()
    support = (entries > 0).to(entries.dtype)
    row_diagonal = damping + (b * support).sum(dim=2, keepdim=True)
    column_diagonal = damping + (a * support).sum(dim=1, keepdim=True)
    row_residual = plans.reg - (b * entries).sum(dim=2, keepdim=True)
    column_residual = plans.reg - (a * entries).sum(dim=1, keepdim=True)
    column_residual = column_residual - (a * support * (row_residual / row_diagonal)).sum(dim=1, keepdim=True)
    dg = _conjugate_gradients(support, a / row_diagonal, column_diagonal, b, column_residual)
    return (row_residual - (b * support * dg).sum(dim=2, keepdim=True)) / row_diagonal, dg


def _conjugate_gradients(support: Tensor, weights: Tensor, diagonal: Tensor, b: Tensor, residual: Tensor) -> Tensor:
    """Solve diagonal * x - S' (weights * S (b * x)) = residual for x (B, 1, m), in the inner product weighted by b."""
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
    """Find the step length (B, 1, 1) along (df, dg) at which the dual has risen and its slope is nearly 0."""
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
    """Return Newton's length if the bracket contains it, else bisect; without an upper end, at most 16 times `low`."""
    plain = torch.where(high < torch.inf, (low + high) / 2, 4 * low)
    length = torch.where((newton > low) & (newton < high), newton, plain)
    return torch.where(high < torch.inf, length, torch.minimum(length, 16 * low))
