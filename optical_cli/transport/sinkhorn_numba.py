"""Entropic transport for the CPU: compiled, a plan a thread, every plan stopping on its own.

Iterations of Sinkhorn's in the dtype of the cost, over-relaxed by a factor taken from the observed rate (Lehmann et al.
2021, arXiv 2012.12562); where that rate is too slow, Newton's method takes over. Relaxed marginals (Chizat et al. 2018,
arXiv 1607.05816) have KL penalties of strength rho in their place: a plan has to meet a exp(-f / rho) and
b exp(-g / rho), where f and g are its potentials.

A plan is computed by one thread in a fixed order: the same bits whatever the number of threads.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from optical_cli.transport.batch_numba import gather, place, scatter, share
from optical_cli.transport.kernel_numba import BROKEN, CLOSE, WIDEST, absorb, allot, begin, sweep, transpose
from optical_cli.transport.newton_numba import newton_step
from optical_cli.transport.problem import Solution, TransportProblem
from optical_cli.transport.sinkhorn import FIRST_FACTOR, LARGEST_FACTOR, LOOK_EVERY, Stage

Floats: TypeAlias = NDArray[Any]

FIRST_LOOK = 5  # iterations with a kernel before over-relaxation; every LOOK_EVERYth from there is a plain one
NEWTON_COST = 8.0  # iterations that cost as much as Newton's finish, for every column
NEWTON_BELOW = 0.02  # marginal error from which its step is tried; a quarter of the error of a step that was too long
NEWTON_EVERY = 3  # iterations with relaxed marginals; one costs a fifth of a step of Newton's
LONGEST_STEP = 6.0  # of a logarithm; beyond, its quadratic model says nothing
POLISH = 2  # iterations after a step of Newton, before the next


def run_stages(
    problem: TransportProblem,
    stages: Sequence[Stage],
    reg_marginal: float = math.inf,
    start: torch.Tensor | None = None,
) -> Solution:
    """Entropic plans of a batch on the CPU.

    Args:
        problem: costs and marginals.
        stages: the regularizations to pass through; the last is that of the plan.
        reg_marginal: rho, strength of the KL penalty on the marginals in units of the cost; inf holds them.
        start: (B, n) potentials of the rows to begin with, in units of the cost.
    """
    C, a, b = (x.detach().contiguous().numpy() for x in (problem.cost, problem.a, problem.b))
    plans, f, g = np.empty_like(C), np.zeros_like(a), np.zeros_like(b)
    iterations = np.zeros(len(C), np.int64)
    f_before = f if start is None else start.detach().to(problem.cost).contiguous().numpy()
    regs, thresholds, limits, carries = (np.array(column, np.float64) for column in zip(*stages, strict=True))

    def solve_plans(first: int, last: int) -> None:
        _solve_plans(
            C, a, b, f_before, regs, thresholds, limits, carries, 1 / reg_marginal, first, last, plans, f, g, iterations
        )

    share(solve_plans, len(C))
    return Solution(*(torch.from_numpy(x) for x in (plans, f, g, iterations)))


@njit(cache=True, nogil=True)
def _solve_plans(
    C: Floats,
    a: Floats,
    b: Floats,
    f_before: Floats,
    regs: Floats,
    thresholds: Floats,
    limits: Floats,
    carries: Floats,
    per_rho: float,
    first: int,
    last: int,
    plans: Floats,
    f: Floats,
    g: Floats,
    iterations: Floats,
) -> None:
    for k in range(first, last):
        rows, columns = np.nonzero(a[k])[0], np.nonzero(b[k])[0]
        a_k, b_k = a[k][rows], b[k][columns]
        f_k, g_k = f_before[k][rows], np.empty_like(b_k)
        K, u, v, iterations[k] = _solve_one(
            gather(C[k], rows, columns),
            a_k,
            b_k,
            f_k,
            g_k,
            regs,
            thresholds,
            limits,
            carries,
            per_rho,
        )
        scatter(K, u, v, rows, columns, plans[k])
        place(f_k, rows, f[k])
        place(g_k, columns, g[k])


@njit(cache=True)
def _solve_one(
    C: Floats,
    a: Floats,
    b: Floats,
    f: Floats,
    g: Floats,
    regs: Floats,
    thresholds: Floats,
    limits: Floats,
    carries: Floats,
    per_rho: float,
) -> tuple[Floats, Floats, Floats, int]:
    """Kernel and scalings of a plan without padding, and the iterations spent over all stages.

    `f` holds the potentials to begin with and is left, as `g`, with those of the plan.
    """
    phi, psi = np.empty_like(a), np.empty_like(b)
    for i in range(len(a)):
        phi[i] = f[i] / regs[0] + math.log(a[i])
    K = allot(len(a), len(b), C)
    if K.size > C.size:
        K[:] = 0
    scalings = np.ones(len(K) + K.shape[1], C.dtype)
    u, v = scalings[: len(K)], scalings[len(K) :]
    left, last = int(limits[-1]), len(regs) - 1
    for k in range(last + 1):
        allowed = left if k == last else min(int(limits[k]), left // 2)
        if per_rho > 0:
            kappa = regs[k] * per_rho
            left -= iterate_relaxed(C, a, b, regs[k], kappa, thresholds[k], allowed, phi, psi, K, u, v)
        else:
            left -= iterate(C, a, b, regs[k], thresholds[k], allowed, phi, psi, K, u, v)
        if k < last:
            phi *= carries[k + 1]
    for i in range(len(f)):
        f[i] = regs[last] * (phi[i] - math.log(a[i]))
    for j in range(len(g)):
        g[j] = regs[last] * (psi[j] + math.log(v[j] / b[j]))
    return K, u, v, int(limits[-1]) - left


@njit(cache=True, error_model="numpy")
def iterate(
    C: Floats,
    a: Floats,
    b: Floats,
    reg: float,
    threshold: float,
    limit: int,
    phi: Floats,
    psi: Floats,
    K: Floats,
    u: Floats,
    v: Floats,
) -> int:
    """Iterate at one reg, from the potentials phi, until the marginals are met or the limit is reached.

    Leaves the plan in u, K and v, the potentials of its rows in phi, those that K has of its columns in psi, and
    returns the iterations done. K, u and v are padded to whole lanes, with 0 in K and 1 in u and v.
    """
    sums = np.empty(len(u) + len(v), u.dtype)
    sent, received = sums[: len(u)], sums[len(u) :]
    T = allot(len(b), len(a), C) if K.nbytes <= CLOSE else allot(0, 0, C)
    _begin(C, b, reg, phi, psi, K, T, u, v)
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
            _begin(C, b, reg, phi, psi, K, T, u, v)
            since = 0
    absorb(u, phi)
    return done


@njit(cache=True)
def _begin(
    C: Floats, b: Floats, reg: float, phi: Floats, psi: Floats, K: Floats, T: Floats, u: Floats, v: Floats
) -> None:
    """As `begin`, with the transpose of the kernel if it has one."""
    begin(C, b, reg, 0.0, phi, psi, K, u, v)
    if len(T):
        transpose(K, T)


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
def iterate_relaxed(
    C: Floats,
    a: Floats,
    b: Floats,
    reg: float,
    kappa: float,
    threshold: float,
    limit: int,
    phi: Floats,
    psi: Floats,
    K: Floats,
    u: Floats,
    v: Floats,
) -> int:
    """Iterate at one reg, from the potentials phi, until the marginals are met or the limit is reached.

    Leaves and returns what `iterate` does.
    """
    received = np.empty_like(v)
    begin(C, b, reg, kappa, phi, psi, K, u, v)
    since, done = 0, 0  # iterations with this kernel, and all
    while done < limit:
        done += 1
        since += 1
        _, column_error, low, high = _sweep_relaxed(K, a, b, phi, psi, kappa, u, v, received)
        if column_error <= threshold or not column_error < BROKEN:
            break
        if since == NEWTON_EVERY:
            x = newton_step(K, u, v, _relaxed(a, phi, u, kappa), _relaxed(b, psi, v, kappa), kappa)
            phi += x * min(a.dtype.type(1), a.dtype.type(LONGEST_STEP) / np.abs(x).max())
        if since == NEWTON_EVERY or low * WIDEST < 1 or high > WIDEST:
            absorb(u, phi)
            begin(C, b, reg, kappa, phi, psi, K, u, v)
            since = 0
    absorb(u, phi)
    return done


@njit(cache=True)
def _relaxed(mass: Floats, potential: Floats, scaling: Floats, kappa: float) -> Floats:
    """The marginal to meet at these potentials."""
    return (mass * np.exp(-kappa * (potential + np.log(scaling[: len(mass)] / mass)))).astype(mass.dtype)


@njit(cache=True, error_model="numpy")
def _sweep_relaxed(
    K: Floats,
    a: Floats,
    b: Floats,
    phi: Floats,
    psi: Floats,
    kappa: float,
    u: Floats,
    v: Floats,
    received: Floats,
) -> tuple[float, float, float, float]:
    """One iteration in place: its marginals move with the potentials. Returns as the sweep of those that hold."""
    row_error, column_error = 0.0, 0.0
    received[:] = 0
    for i in range(len(a)):
        sent = u[i] * np.sum(K[i] * v)
        wanted = a[i] * math.exp(-kappa * (phi[i] + math.log(u[i] / a[i])))
        row_error += abs(sent - wanted)
        u[i] *= (wanted / sent) ** (1 / (1 + kappa))
        received += u[i] * K[i]
    for j in range(len(b)):
        got = v[j] * received[j]
        wanted = b[j] * math.exp(-kappa * (psi[j] + math.log(v[j] / b[j])))
        column_error += abs(got - wanted)
        v[j] *= (wanted / got) ** (1 / (1 + kappa))
    return row_error, column_error, min(u.min(), v.min()), max(u.max(), v.max())
