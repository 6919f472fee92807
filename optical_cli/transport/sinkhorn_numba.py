"""Entropic transport on the CPU, in compiled code, plan by plan.

Sinkhorn iterations run in the dtype of the cost. They are over-relaxed by a factor computed from the observed rate of
convergence (Lehmann et al. 2021, arXiv 2012.12562); where that rate is too slow, Newton's method takes over.

Relaxed marginals (Chizat et al. 2018, arXiv 1607.05816) are KL penalties of strength rho in place of fixed marginals:
the marginals of the optimal plan are a exp(-f / rho) and b exp(-g / rho) with its potentials f and g.

One thread computes a plan in a fixed order, so the number of threads does not change a bit.
"""

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from torch import Tensor

from optical_cli.transport.batch_numba import Batch, Floats, gather, place, scatter, solve_batch
from optical_cli.transport.kernel_numba import BROKEN, CLOSE, WIDEST, ScaledKernel, absorb, allot, begin, sweep
from optical_cli.transport.newton_numba import newton_step
from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.tuning import FIRST_FACTOR, LARGEST_FACTOR, LOOK_EVERY, Stage

FIRST_LOOK = 5  # plain iteration at which a new kernel's error is first checked, then every LOOK_EVERY iterations
NEWTON_COST = 8.0  # Sinkhorn iterations that take as long as finishing with Newton's method, per column
NEWTON_BELOW = 0.02  # marginal error below which Newton's method is tried; after a too long step, error / 4
NEWTON_EVERY = 3  # iterations between Newton steps with relaxed marginals; an iteration costs a fifth of a step
LONGEST_STEP = 6.0  # largest change of a log scaling that Newton's quadratic model is trusted for
POLISH = 2  # iterations between two Newton steps


def run_stages(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    """Compute the entropic plans of a batch on the CPU.

    Args:
        problem: costs and marginals.
        stages: the last one has the reg and the limit of iterations of the plans.
        reg_marginal: rho, the strength of the penalty on the marginals, in units of the cost; inf if they must hold.
        start: (B, n) initial potentials f of the rows, in units of the cost; None for zeros.
    """
    f_before = problem.a.new_zeros(problem.a.shape) if start is None else start.detach().to(problem.cost).contiguous()
    before, way, per_rho = f_before.numpy(), np.array(stages, np.float64), 1 / reg_marginal

    def solve_plans(batch: Batch, first: int, last: int, found: Batch) -> None:
        _solve_plans(batch, before, way, per_rho, first, last, found)

    return solve_batch(problem, solve_plans)


@njit(cache=True, nogil=True)
def _solve_plans(
    batch: Batch, f_before: Floats, stages: Floats, per_rho: float, first: int, last: int, found: Batch
) -> None:
    C, a, b = batch
    plans, f, g, iterations = found
    for k in range(first, last):
        rows, columns = np.nonzero(a[k])[0], np.nonzero(b[k])[0]
        a_k, b_k = a[k][rows], b[k][columns]
        f_k, g_k = f_before[k][rows], np.empty_like(b_k)
        C_k = gather(C[k], rows, columns)
        K, u, v, iterations[k] = _solve_one(C_k, a_k, b_k, f_k, g_k, stages, per_rho)
        scatter(K, u, v, rows, columns, plans[k])
        place(f_k, rows, f[k])
        place(g_k, columns, g[k])


@njit(cache=True)
def _solve_one(
    C: Floats, a: Floats, b: Floats, f: Floats, g: Floats, stages: Floats, per_rho: float
) -> tuple[Floats, Floats, Floats, int]:
    """Solve one plan without padding; return its kernel K, scalings u and v, and the iterations over all stages.

    f holds the initial potentials of the rows. Afterwards f and g hold the potentials of the plan. A row of `stages`
    has the four fields of a `Stage`.
    """
    phi, psi = np.empty_like(a), np.empty_like(b)
    for i in range(len(a)):
        phi[i] = f[i] / stages[0, 0] + math.log(a[i])
    K = allot(len(a), len(b), C)
    if K.size > C.size:
        K[:] = 0
    scalings = np.ones(len(K) + K.shape[1], C.dtype)
    u, v = scalings[: len(K)], scalings[len(K) :]
    last = len(stages) - 1
    most = int(stages[last, 2])
    left = most
    for k in range(last + 1):
        reg, threshold = stages[k, 0], stages[k, 1]
        allowed = left if k == last else min(int(stages[k, 2]), left // 2)
        if per_rho > 0:
            left -= _iterate_relaxed(C, a, b, reg, reg * per_rho, threshold, allowed, (phi, psi, K, u, v))
        else:
            left -= _iterate(C, a, b, reg, threshold, allowed, (phi, psi, K, u, v))
        if k < last:
            phi *= stages[k + 1, 3]
    for i in range(len(f)):
        f[i] = stages[last, 0] * (phi[i] - math.log(a[i]))
    for j in range(len(g)):
        g[j] = stages[last, 0] * (psi[j] + math.log(v[j] / b[j]))
    return K, u, v, most - left


@njit(cache=True, error_model="numpy")
def _iterate(C: Floats, a: Floats, b: Floats, reg: float, threshold: float, limit: int, scaled: ScaledKernel) -> int:
    """Iterate at one reg from the potentials phi, until the threshold or the limit; return the iterations done.

    Afterwards the plan is diag(u) K diag(v), phi holds the potentials of its rows and psi the column potentials of K.
    """
    phi, _, K, u, v = scaled
    sums = np.empty(len(u) + len(v), u.dtype)
    sent, received = sums[: len(u)], sums[len(u) :]
    T = allot(len(b), len(a), C) if K.nbytes <= CLOSE else allot(0, 0, C)
    begin(C, b, reg, 0.0, scaled, T)
    factor, seen, looked = 1.0, np.inf, 0  # over-relaxation; error at the last check, and the iteration of that check
    near, finishing = False, False  # whether one plain iteration may be enough; whether Newton's method has taken over
    trusted, worth = NEWTON_BELOW, NEWTON_COST * len(b)  # the error from which, the saving for which Newton is tried
    since, done = 0, 0  # iterations with this kernel, and over all kernels
    while done < limit:
        done += 1
        since += 1
        look = since % LOOK_EVERY == FIRST_LOOK
        over = 1.0 if look or near or since == 1 else factor
        row_error, column_error, far = sweep(K, T, a, b, u, v, over, sent, received)
        if (over == 1.0 and column_error <= threshold) or not column_error < BROKEN:
            break  # the columns are exact now, and the rows at most as far off as the columns were
        near = over > 1.0 and row_error + column_error <= threshold
        again = far > 0
        if finishing and since == POLISH:
            step = finishing = column_error < 0.5 * seen
        else:
            step = look and column_error < trusted and _to_come(column_error, seen, done - looked, threshold) > worth
        if step:
            x = newton_step(K, u, v, a, b, 0.0)
            finishing = again = np.abs(x).max() <= LONGEST_STEP
            if finishing:
                phi += x
            else:
                trusted = column_error / 4
        elif look:
            factor = _next_factor(factor, column_error / seen, done - looked)
        if look or step:
            seen, looked = column_error, done
        if again:
            absorb(u, phi)
            begin(C, b, reg, 0.0, scaled, T)
            since = 0
    absorb(u, phi)
    return done


@njit(cache=True)
def _to_come(error: float, seen: float, iterations: int, threshold: float) -> float:
    """Estimate the iterations left to the threshold, from those that reduced the error from `seen` to `error`."""
    if error >= seen:
        return np.inf
    return iterations * math.log(threshold / error) / math.log(error / seen) if seen < np.inf else 0.0


@njit(cache=True)
def _next_factor(factor: float, shrunk: float, iterations: int) -> float:
    """Compute the next over-relaxation, after `iterations` with `factor` multiplied the error by `shrunk`."""
    if shrunk == 0:  # at the first check
        return FIRST_FACTOR
    if shrunk >= 1:
        return 1.0
    rate = shrunk ** (1 / iterations)
    if rate <= factor - 1:  # the best rate of over-relaxation by this factor
        return factor
    plain = min((rate + factor - 1) ** 2 / (rate * factor**2), 1.0)  # Young's relation: the rate with factor 1
    return max(factor, FIRST_FACTOR, min(LARGEST_FACTOR, 2 / (1 + math.sqrt(1 - plain))))


@njit(cache=True, error_model="numpy")
def _iterate_relaxed(
    C: Floats, a: Floats, b: Floats, reg: float, kappa: float, threshold: float, limit: int, scaled: ScaledKernel
) -> int:
    """Iterate at one reg with relaxed marginals, until the threshold or the limit; return the iterations done.

    Newton steps move all potentials together. kappa is reg / rho. Afterwards the plan is diag(u) K diag(v), phi holds
    the potentials of its rows and psi the column potentials of K.
    """
    phi, psi, K, u, v = scaled
    received, none = np.empty_like(v), allot(0, 0, C)
    begin(C, b, reg, kappa, scaled, none)
    since, done = 0, 0  # iterations with this kernel, and over all kernels
    while done < limit:
        done += 1
        since += 1
        column_error, low, high = _sweep_relaxed(K, a, b, phi, psi, kappa, u, v, received)
        if column_error <= threshold or not column_error < BROKEN:
            break
        if since == NEWTON_EVERY:
            x = newton_step(K, u, v, _relaxed(a, phi, u, kappa), _relaxed(b, psi, v, kappa), kappa)
            phi += x * min(a.dtype.type(1), a.dtype.type(LONGEST_STEP) / np.abs(x).max())
        if since == NEWTON_EVERY or low * WIDEST < 1 or high > WIDEST:
            absorb(u, phi)
            begin(C, b, reg, kappa, scaled, none)
            since = 0
    absorb(u, phi)
    return done


@njit(cache=True)
def _relaxed(mass: Floats, potential: Floats, scaling: Floats, kappa: float) -> Floats:
    return (mass * np.exp(-kappa * (potential + np.log(scaling[: len(mass)] / mass)))).astype(mass.dtype)


@njit(cache=True, error_model="numpy")
def _sweep_relaxed(
    K: Floats, a: Floats, b: Floats, phi: Floats, psi: Floats, kappa: float, u: Floats, v: Floats, received: Floats
) -> tuple[float, float, float]:
    """Do one iteration with relaxed marginals in place: first the rows, then the columns.

    Returns the L1 error of the columns after the rows were scaled, and the smallest and largest scaling.
    """
    error = 0.0
    received[:] = 0
    for i in range(len(a)):
        sent = u[i] * np.sum(K[i] * v)
        wanted = a[i] * math.exp(-kappa * (phi[i] + math.log(u[i] / a[i])))
        u[i] *= (wanted / sent) ** (1 / (1 + kappa))
        received += u[i] * K[i]
    for j in range(len(b)):
        got = v[j] * received[j]
        wanted = b[j] * math.exp(-kappa * (psi[j] + math.log(v[j] / b[j])))
        error += abs(got - wanted)
        v[j] *= (wanted / got) ** (1 / (1 + kappa))
    return error, min(u.min(), v.min()), max(u.max(), v.max())
