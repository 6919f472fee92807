"""Entropic transport for the CPU: compiled, a plan a thread, every plan stopping on its own.

Iterations of Sinkhorn's in the dtype of the cost, over-relaxed by a factor taken from the observed rate (Lehmann et al.
2021, arXiv 2012.12562); where that rate is too slow, Newton's method takes over. Relaxed marginals (Chizat et al. 2018,
arXiv 1607.05816) have KL penalties of strength rho in their place: a plan has to meet a exp(-f / rho) and
b exp(-g / rho), where f and g are its potentials.

A plan is computed by one thread in a fixed order: the same bits whatever the number of threads.
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

FIRST_LOOK = 5  # iterations with a kernel before over-relaxation; every LOOK_EVERYth from there is a plain one
NEWTON_COST = 8.0  # iterations that cost as much as Newton's finish, for every column
NEWTON_BELOW = 0.02  # marginal error from which its step is tried; a quarter of the error of a step that was too long
NEWTON_EVERY = 3  # iterations with relaxed marginals; one costs a fifth of a step of Newton's
LONGEST_STEP = 6.0  # of a logarithm; beyond, its quadratic model says nothing
POLISH = 2  # iterations after a step of Newton, before the next


def run_stages(
    problem: TransportProblem, stages: Sequence[Stage], reg_marginal: float = math.inf, start: Tensor | None = None
) -> Solution:
    """Entropic plans of a batch on the CPU; the last of `stages` has the reg of the plan.

    `reg_marginal` is rho in units of the cost, inf where marginals hold; `start` (B, n) has potentials of the rows.
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
    """Kernel and scalings of a plan without padding, and the iterations spent over all stages.

    `f` holds the potentials to begin with and is left, as `g`, with those of the plan. A row of `stages` is a `Stage`.
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
    """Iterate at one reg, from the potentials phi, until marginals or the limit are met; returns the iterations done.

    Leaves the plan in u, K and v, the potentials of its rows in phi, those that K has of its columns in psi.
    """
    phi, _, K, u, v = scaled
    sums = np.empty(len(u) + len(v), u.dtype)
    sent, received = sums[: len(u)], sums[len(u) :]
    T = allot(len(b), len(a), C) if K.nbytes <= CLOSE else allot(0, 0, C)
    begin(C, b, reg, 0.0, scaled, T)
    factor, seen, looked = 1.0, np.inf, 0  # over-relaxation; the error at the last look, and when that was
    near, finishing = False, False  # the end may be one plain iteration away; Newton's method has taken over
    trusted, worth = NEWTON_BELOW, NEWTON_COST * len(b)
    since, done = 0, 0  # iterations with this kernel, and all
    while done < limit:
        done += 1
        since += 1
        look = since % LOOK_EVERY == FIRST_LOOK
        over = 1.0 if look or near or since == 1 else factor
        row_error, column_error, far = sweep(K, T, a, b, u, v, over, sent, received)
        if (over == 1.0 and column_error <= threshold) or not column_error < BROKEN:
            break  # rows were exact, now columns are; that did not make the rows worse than the columns were
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
    """How many more iterations the threshold is away, if so many took the error here from what was seen."""
    if error >= seen:
        return np.inf
    return iterations * math.log(threshold / error) / math.log(error / seen) if seen < np.inf else 0.0


@njit(cache=True)
def _next_factor(factor: float, shrunk: float, iterations: int) -> float:
    """The over-relaxation after so many iterations with `factor` multiplied the error by `shrunk`."""
    if shrunk == 0:  # the first look
        return FIRST_FACTOR
    if shrunk >= 1:
        return 1.0
    rate = shrunk ** (1 / iterations)
    if rate <= factor - 1:  # as fast as over-relaxation by this factor can be
        return factor
    plain = min((rate + factor - 1) ** 2 / (rate * factor**2), 1.0)  # Young's relation: the rate with factor 1
    return max(factor, FIRST_FACTOR, min(LARGEST_FACTOR, 2 / (1 + math.sqrt(1 - plain))))


@njit(cache=True, error_model="numpy")
def _iterate_relaxed(
    C: Floats, a: Floats, b: Floats, reg: float, kappa: float, threshold: float, limit: int, scaled: ScaledKernel
) -> int:
    """Like `_iterate`, with relaxed marginals (kappa is reg / rho): Newton's method moves all potentials together."""
    phi, psi, K, u, v = scaled
    received, none = np.empty_like(v), allot(0, 0, C)
    begin(C, b, reg, kappa, scaled, none)
    since, done = 0, 0  # iterations with this kernel, and all
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
    """One iteration in place. Returns the error of the columns in its middle, the least and the largest scaling."""
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
