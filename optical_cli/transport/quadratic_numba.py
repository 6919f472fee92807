"""Quadratic regularization on the CPU: the method of `quadratic` in compiled code, plan by plan.

Potentials and sums are float64 for costs of any dtype: at reg 0.001, entries are differences of numbers a thousand
times larger. One thread computes a plan in a fixed order, so the number of threads does not change a bit.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from torch import Tensor

from optical_cli.transport.batch_numba import Batch, Floats, gather, place, solve_batch
from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.tuning import DAMPING, FLAT, RATIO, RESIDUAL, SAFETY, TOP, TRIALS, WARM_ERROR

Support: TypeAlias = tuple[Floats, Floats]
"""The positive entries of a plan as a sparse matrix (CSR): the column of each, and the index (n + 1,) of each row."""

LOOSE = {"reassoc", "contract", "nsz"}  # fast-math flags that let sums vectorise, and respect NaN


def quadratic(
    problem: TransportProblem, reg: float, threshold: float, max_iterations: int, start: Tensor | None = None
) -> Solution:
    """Compute quadratically regularized plans on the CPU.

    `start` (B, m) has initial potentials g of the columns, in units of the cost.
    """
    from_start = start is not None
    g_before = problem.b.new_zeros(problem.b.shape) if start is None else start.detach().to(problem.cost)
    before = g_before.contiguous().numpy()

    def solve_plans(batch: Batch, first: int, last: int, found: Batch) -> None:
        _solve_plans(batch, before, reg, SAFETY * threshold, max_iterations, from_start, first, last, found)

    return solve_batch(problem, solve_plans)


@njit(cache=True, nogil=True)
def _solve_plans(
    batch: Batch,
    g_before: Floats,
    reg: float,
    threshold: float,
    limit: int,
    from_start: bool,
    first: int,
    last: int,
    found: Batch,
) -> None:
    C, a, b = batch
    plans, f, g, iterations = found
    for k in range(first, last):
        rows, columns = np.nonzero(a[k])[0], np.nonzero(b[k])[0]
        C_k = gather(C[k], rows, columns).astype(np.float64)
        a_k, b_k = _unit_sum(a[k][rows]), _unit_sum(b[k][columns])
        f_k, g_k = np.empty_like(a_k), g_before[k][columns].astype(np.float64)
        iterations[k] = _solve_one(C_k, a_k, b_k, f_k, g_k, reg, threshold, limit, from_start)
        place(f_k, rows, f[k])
        place(g_k, columns, g[k])
        plans[k] = 0
        for i in range(len(rows)):
            for j in range(len(columns)):
                entry = max(f_k[i] + g_k[j] - C_k[i, j], 0.0)
                plans[k, rows[i], columns[j]] = a_k[i] * b_k[j] * (entry / reg)


@njit(cache=True)
def _solve_one(
    C: Floats, a: Floats, b: Floats, f: Floats, g: Floats, reg: float, threshold: float, limit: int, from_start: bool
) -> int:
    """Compute the potentials f and g of one plan in place, from g if `from_start`, and return the iterations done."""
    C_columns = C.T.copy()
    support = np.empty(C.size + 1, np.int32), np.empty(len(f) + 1, np.int64)
    at = reg if from_start else max(reg, _start(C, a, b, g) / RATIO)
    f[:] = at + C @ b - g @ b  # all entries are positive at first, as `_meet_rows` needs
    for done in range(1, limit + 1):
        if 2 * done > limit:
            at = reg
        _meet_rows(C, b, g, at, f)
        _meet_rows(C_columns, a, f, at, g)
        error = _row_error(C, a, b, f, g, at)
        if at == reg and (error <= threshold or done == limit):
            return done
        if at > reg and error <= WARM_ERROR:
            at = max(reg, at / RATIO)
            continue
        _list_support(C, f, g, support)
        df, dg = _newton_step(C, a, b, f, g, at, DAMPING * min(error, 1.0), support)
        g += _search(C, a, b, f, g, at, df, dg) * dg  # f is computed from g in the next iteration
    return limit


@njit(cache=True)
def _start(C: Floats, a: Floats, b: Floats, g: Floats) -> float:
    """Set g to its limit for a large reg, and return the smallest reg at which all entries are positive."""
    of_rows, of_columns = C @ b, a @ C
    mean = a @ of_rows
    g[:] = of_columns - mean
    dearest = -np.inf
    for i in range(C.shape[0]):
        for j in range(C.shape[1]):
            dearest = max(dearest, C[i, j] - of_rows[i] - g[j])
    return dearest


@njit(cache=True, fastmath=LOOSE, error_model="numpy")
def _meet_rows(C: Floats, b: Floats, g: Floats, reg: float, f: Floats) -> None:
    """Solve sum_j b_j max(0, f_i + g_j - C_ij) = reg for each f_i by Newton's method.

    The sum is convex and piecewise linear in f_i. After one step f_i is exact or too large; from then on the support
    only shrinks, and once it stays the same f_i is exact.
    """
    for i in range(C.shape[0]):
        seen = 0.0
        for _ in range(C.shape[1] + 3):  # enough steps to shrink any support to one entry, but for rounding
            received, share_of_b = 0.0, 0.0
            for j in range(C.shape[1]):
                entry = f[i] + g[j] - C[i, j]
                received += b[j] * entry if entry > 0 else 0.0
                share_of_b += b[j] if entry > 0 else 0.0
            if share_of_b == 0:
                f[i] = reg + (C[i] - g).min()  # makes the cheapest entry positive
                continue
            if share_of_b == seen:
                break
            f[i] += (reg - received) / share_of_b
            seen = share_of_b


@njit(cache=True, fastmath=LOOSE)
def _row_error(C: Floats, a: Floats, b: Floats, f: Floats, g: Floats, reg: float) -> float:
    error = 0.0  # of the rows; the columns are exact at this point
    for i in range(C.shape[0]):
        received = 0.0
        for j in range(C.shape[1]):
            received += b[j] * max(f[i] + g[j] - C[i, j], 0.0)
        error += a[i] * abs(received / reg - 1)
    return error


@njit(cache=True)
def _list_support(C: Floats, f: Floats, g: Floats, support: Support) -> None:
    partners, begins = support
    count = 0
    for i in range(C.shape[0]):
        begins[i] = count
        for j in range(C.shape[1]):
            partners[count] = j  # without a branch: the next j overwrites it unless the entry is positive
            count += f[i] + g[j] - C[i, j] > 0
    begins[C.shape[0]] = count


@njit(cache=True, error_model="numpy")
def _newton_step(
    C: Floats, a: Floats, b: Floats, f: Floats, g: Floats, reg: float, damping: float, support: Support
) -> tuple[Floats, Floats]:
    """Compute the step (df, dg) after which all marginals would hold if the support S did not change.

    Rows:     (damping + sum_j b_j S_ij) df_i + sum_j b_j S_ij dg_j = reg - sum_j b_j S_ij x_ij
    Columns:  (damping + sum_i a_i S_ij) dg_j + sum_i a_i S_ij df_i = reg - sum_i a_i S_ij x_ij

    with x_ij = f_i + g_j - C_ij. Without damping the system is singular: on each connected component of S, f may rise
    and g fall by the same constant. The rows are eliminated; the remaining matrix is symmetric in the inner product
    weighted by b.
    """
    partners, begins = support
    of_rows, of_columns = np.empty_like(f), np.full_like(g, damping)  # diagonals: of df_i in row i, dg_j in column j
    df = np.empty_like(f)
    residual = np.full_like(g, reg)
    for i in range(len(f)):
        df[i], of_rows[i] = reg, damping
        for k in range(begins[i], begins[i + 1]):
            j = partners[k]
            entry = f[i] + g[j] - C[i, j]
            df[i] -= b[j] * entry
            of_rows[i] += b[j]
            residual[j] -= a[i] * entry
            of_columns[j] += a[i]
    for i in range(len(f)):
        for k in range(begins[i], begins[i + 1]):
            residual[partners[k]] -= a[i] * df[i] / of_rows[i]
    dg = _conjugate_gradients(a / of_rows, of_columns, b, support, residual)
    for i in range(len(f)):
        for k in range(begins[i], begins[i + 1]):
            df[i] -= b[partners[k]] * dg[partners[k]]
        df[i] /= of_rows[i]
    return df, dg


@njit(cache=True, fastmath=LOOSE, error_model="numpy")
def _conjugate_gradients(weights: Floats, diagonal: Floats, b: Floats, support: Support, residual: Floats) -> Floats:
    """Solve diagonal * x - S' (weights * S (b * x)) = residual for x, preconditioned by the diagonal.

    `residual` is overwritten.
    """
    partners, begins = support
    x = np.zeros_like(residual)
    direction = residual / diagonal
    norm = (b * residual * direction).sum()
    enough = RESIDUAL**2 * norm
    for _ in range(4 * len(x)):
        if not norm > enough:
            break
        image = diagonal * direction
        weighted = b * direction
        for i in range(len(weights)):
            inner = 0.0
            for k in range(begins[i], begins[i + 1]):
                inner += weighted[partners[k]]
            for k in range(begins[i], begins[i + 1]):
                image[partners[k]] -= weights[i] * inner
        curvature = (weighted * image).sum()
        if not curvature > 0:  # lost to rounding
            break
        x += norm / curvature * direction
        residual -= norm / curvature * image
        before = norm
        norm = (b * residual * residual / diagonal).sum()
        direction *= norm / before
        direction += residual / diagonal
    return x


@njit(cache=True, error_model="numpy")
def _search(C: Floats, a: Floats, b: Floats, f: Floats, g: Floats, reg: float, df: Floats, dg: Floats) -> float:
    """Find the step length along (df, dg) at which the dual has risen and its slope is nearly 0.

    The slope is piecewise linear and falls with the length. Newton's method finds its zero, safeguarded by a bracket.
    """
    linear = reg * (a @ df + b @ dg)
    first = linear - _quadratic_slope(C, a, b, f, g, df, dg, 0.0)[0]
    if not first > 0:  # only rounding errors are left
        return 0.0
    low, high, length = 0.0, np.inf, 1.0
    for _ in range(TRIALS):
        value, curvature = _quadratic_slope(C, a, b, f, g, df, dg, length)
        slope = linear - value
        if -TOP * first <= slope <= FLAT * first:
            return length
        if slope > 0:
            low = length
        else:
            high = length
        length = length + slope / curvature if curvature > 0 else np.inf
        if not low < length < high:
            length = (low + high) / 2 if high < np.inf else 4 * low
        length = min(length, 16 * low) if high == np.inf else length
    return low


@njit(cache=True, fastmath=LOOSE)
def _quadratic_slope(
    C: Floats, a: Floats, b: Floats, f: Floats, g: Floats, df: Floats, dg: Floats, length: float
) -> tuple[float, float]:
    """Compute the first and second derivative of sum a_i b_j max(0, x_ij)^2 / 2 along (df, dg), at `length`."""
    slope, curvature = 0.0, 0.0
    for i in range(C.shape[0]):
        slope_i, curvature_i = 0.0, 0.0
        f_i = f[i] + length * df[i]
        for j in range(C.shape[1]):
            change = df[i] + dg[j]
            entry = f_i + g[j] + length * dg[j] - C[i, j]
            slope_i += b[j] * entry * change if entry > 0 else 0.0
            curvature_i += b[j] * change * change if entry > 0 else 0.0
        slope += a[i] * slope_i
        curvature += a[i] * curvature_i
    return slope, curvature


@njit(cache=True)
def _unit_sum(mass: Floats) -> Floats:
    """Rescale masses to sum to 1 in float64: float32 sums of a and b differ by 1e-8, and no plan can have both."""
    wide: Floats = mass.astype(np.float64)
    wide /= wide.sum()
    return wide
