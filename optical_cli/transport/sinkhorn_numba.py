"""Sinkhorn for the CPU: compiled, a plan a thread, every plan stopping on its own.

A plan is P = diag(u) K diag(v) with K = exp(phi + psi - C / reg). The scalings u and v are iterated in the dtype of
the cost. What would carry them beyond its range is moved into the potentials phi and psi, and K is made anew
(Schmitzer 2019, https://arxiv.org/abs/1610.06519). Iterations are over-relaxed, by a factor taken from the observed
rate (Lehmann et al. 2021, https://arxiv.org/abs/2012.12562).

A plan is computed by one thread in a fixed order: the same bits whatever the number of threads.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import torch
from numba import get_num_threads, njit
from numpy.typing import NDArray
from torch import Tensor

from optical_cli.transport.annealing import WARM_ERROR, WARM_ITERATIONS, annealed
from optical_cli.transport.problem import TransportProblem

Floats: TypeAlias = NDArray[Any]

BLOCK = 8  # plans that a thread takes at a time
WORTH_SHARING = 2e-3  # seconds of work; less is done before a helper has woken up
LOWEST = -60.0  # exponents below count as no mass: exp(-60) times a scaling stays clear of slow denormals
WIDEST = 1e7  # a scaling outside 1 / WIDEST..WIDEST is moved into the potentials
LOOK_EVERY = 16  # iterations between two looks at the rate; the iteration looked at is a plain one
FIRST_FACTOR = 1.5  # over-relaxation to begin with
LARGEST_FACTOR = 1.98  # 2 would no longer converge
SAFETY = 0.95  # aim below the threshold, which is checked in float64 on the plan rounded to its dtype


def sinkhorn(problem: TransportProblem, reg: float, threshold: float, max_iterations: int) -> tuple[Tensor, Tensor]:
    """Entropic plans of a batch on the CPU: plan (B, n, m) and iterations (B,) int64."""
    C, a, b = (x.detach().contiguous().numpy() for x in (problem.cost, problem.a, problem.b))
    plans = np.zeros_like(C)
    iterations = np.zeros(len(C), np.int64)
    regs = np.array(annealed(reg))
    # Handed over, not read as globals: numba's cache would not notice a change in another file.
    thresholds = np.array([WARM_ERROR] * (len(regs) - 1) + [SAFETY * threshold])
    limits = np.array([WARM_ITERATIONS] * (len(regs) - 1) + [max_iterations])

    def solve_block(start: int) -> None:
        stop = min(start + BLOCK, len(C))
        _solve_block(C, a, b, regs, thresholds, limits, start, stop, plans, iterations)

    _share(solve_block, range(0, len(C), BLOCK))
    return torch.from_numpy(plans), torch.from_numpy(iterations)


def _share(work: Callable[[int], None], blocks: Sequence[int]) -> None:
    """Do the blocks on the calling thread, with the help of others (as many as numba may use) if that takes long.

    Not numba's own `prange`: OpenMP's threads spin at its barrier, and a batch of 0.6 ms took 8 ms as soon as another
    process wanted the cores. Here nobody waits for a helper that has not begun, so a late one costs nothing.
    """
    queue = iter(blocks)  # shared: `next` of it is atomic under the interpreter's lock

    def run() -> None:
        for block in queue:
            work(block)

    begin = perf_counter()
    work(next(queue))
    expected = (perf_counter() - begin) * (len(blocks) - 1)
    helpers = get_num_threads() - 1 if expected > WORTH_SHARING else 0
    futures = [_pool(helpers).submit(run) for _ in range(helpers)]
    try:
        run()
    finally:
        begun = [future for future in futures if not future.cancel()]
        wait(begun)
    for future in begun:
        future.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="transport")


@njit(cache=True, nogil=True)
def _solve_block(
    C: Floats,
    a: Floats,
    b: Floats,
    regs: Floats,
    thresholds: Floats,
    limits: Floats,
    start: int,
    stop: int,
    plans: Floats,
    iterations: Floats,
) -> None:
    for k in range(start, stop):
        rows, columns = np.nonzero(a[k])[0], np.nonzero(b[k])[0]
        C_k = _gather(C[k], rows, columns)
        P, iterations[k] = _solve_one(C_k, a[k][rows], b[k][columns], regs, thresholds, limits)
        _scatter(P, rows, columns, plans[k])


@njit(cache=True)
def _solve_one(C: Floats, a: Floats, b: Floats, regs: Floats, thresholds: Floats, limits: Floats) -> tuple[Floats, int]:
    """The plan (n, m) of costs without padding, and the iterations spent over all of `regs`."""
    u, v = np.ones_like(a), np.ones_like(b)
    phi, psi, K = np.zeros_like(a), np.zeros_like(b), np.empty_like(C)
    left = limits[-1]
    last = len(regs) - 1
    for k in range(last):
        left -= _iterate(C, a, b, regs[k], phi, psi, K, u, v, thresholds[k], min(limits[k], left // 2))
        psi *= regs[k] / regs[k + 1]
    left -= _iterate(C, a, b, regs[last], phi, psi, K, u, v, thresholds[last], left)
    for i in range(len(u)):
        for j in range(len(v)):
            K[i, j] *= u[i] * v[j]
    return K, limits[-1] - left


@njit(cache=True, error_model="numpy")
def _iterate(
    C: Floats,
    a: Floats,
    b: Floats,
    reg: float,
    phi: Floats,
    psi: Floats,
    K: Floats,
    u: Floats,
    v: Floats,
    threshold: float,
    limit: int,
) -> int:
    """Iterate at one reg, from the potentials psi, until the marginals are met or the limit is reached.

    Leaves the plan in u, K and v, the potentials to go on from in psi, and returns the iterations done.
    """
    received = np.empty_like(b)
    _reach_columns(C, reg, psi)
    _make_kernel(C, reg, phi, psi, K)
    u[:], v[:] = 1, 1
    factor, seen = 1.0, np.inf  # over-relaxation, and the error at the last look
    since, near = 0, False  # iterations with this kernel, and whether the end may be one plain iteration away
    done = 0
    while done < limit:
        done += 1
        since += 1
        look = since % LOOK_EVERY == 0
        over = 1.0 if look or near or since == 1 else factor
        row_error, column_error = _sweep(K, a, b, u, v, over, received)
        if over == 1.0 and column_error <= threshold:
            break  # rows were exact, now columns are; that did not make the rows worse than the columns were
        near = over > 1.0 and row_error + column_error <= threshold
        if v.min() * WIDEST < 1 or v.max() > WIDEST:
            _absorb(v, psi)
            _make_kernel(C, reg, phi, psi, K)
            u[:], v[:] = 1, 1
            since = 0
        elif look:
            factor = _next_factor(factor, column_error / seen)
            seen = column_error
    _absorb(v, psi)
    return done


@njit(cache=True)
def _next_factor(factor: float, shrunk: float) -> float:
    """The over-relaxation after LOOK_EVERY iterations with `factor` multiplied the error by `shrunk`."""
    if shrunk == 0:  # the first look
        return FIRST_FACTOR
    if shrunk >= 1:
        return 1.0
    rate = shrunk ** (1 / LOOK_EVERY)
    if rate <= factor - 1:  # as fast as over-relaxation by this factor can be
        return factor
    plain = min((rate + factor - 1) ** 2 / (rate * factor**2), 1.0)  # Young's relation: the rate with factor 1
    return max(factor, FIRST_FACTOR, min(LARGEST_FACTOR, 2 / (1 + math.sqrt(1 - plain))))


@njit(cache=True, fastmath=True, error_model="numpy")  # a plan that breaks becomes NaN, and stops no other
def _sweep(
    K: Floats, a: Floats, b: Floats, u: Floats, v: Floats, factor: float, received: Floats
) -> tuple[float, float]:
    """One iteration in place, K read once; the errors of the rows before it, of the columns in its middle."""
    one = u.dtype.type(1)
    over = u.dtype.type(factor)
    row_error, column_error = one - one, one - one
    received[:] = 0
    for i in range(len(u)):
        sent = one - one
        for j in range(len(v)):
            sent += K[i, j] * v[j]
        row_error += abs(u[i] * sent - a[i])
        wanted = a[i] / (u[i] * sent)
        u[i] *= max(one + over * (wanted - one), wanted * min(wanted, one))
        for j in range(len(v)):
            received[j] += u[i] * K[i, j]
    for j in range(len(v)):
        column_error += abs(v[j] * received[j] - b[j])
        wanted = b[j] / (v[j] * received[j])
        v[j] *= max(one + over * (wanted - one), wanted * min(wanted, one))
    return row_error, column_error


@njit(cache=True)
def _reach_columns(C: Floats, reg: float, psi: Floats) -> None:
    """Raise psi where a column is so dear to every row that all of its kernel would be below LOWEST."""
    slack = np.full_like(psi, np.inf)
    for i in range(C.shape[0]):
        phi = np.inf
        for j in range(C.shape[1]):
            phi = min(phi, C[i, j] / reg - psi[j])
        for j in range(C.shape[1]):
            slack[j] = min(slack[j], C[i, j] / reg - psi[j] - phi)
    psi += np.maximum(slack + LOWEST / 2, 0)


@njit(cache=True, fastmath=True)
def _make_kernel(C: Floats, reg: float, phi: Floats, psi: Floats, K: Floats) -> None:
    """K = exp(phi + psi - C / reg), with phi such that the largest entry of a row is 1."""
    real = K.dtype.type
    per_reg = real(1 / reg)
    for i in range(K.shape[0]):
        top = psi[0] - C[i, 0] * per_reg
        for j in range(K.shape[1]):
            K[i, j] = psi[j] - C[i, j] * per_reg
            top = max(top, K[i, j])
        phi[i] = -top
        for j in range(K.shape[1]):
            K[i, j] = _exp(K[i, j] - top, real)


@njit(cache=True, fastmath=True, inline="always")
def _exp(x: Any, real: Any) -> Any:
    """Exp of LOWEST..0, and 0 below: arithmetic alone, so that it runs in vector units (libm's exp does not)."""
    y = max(x, real(LOWEST)) * real(1 / 64)
    value = real(1)
    for k in range(12, 0, -1):  # Taylor's series by Horner's rule
        value = real(1) + value * y * real(1 / k)
    for _ in range(6):
        value *= value  # exp(x) = exp(x / 64) ** 64
    return value if x > real(LOWEST) else real(0)


@njit(cache=True)
def _absorb(scaling: Floats, potential: Floats) -> None:
    for j in range(len(scaling)):
        potential[j] += math.log(scaling[j])


@njit(cache=True)
def _gather(C: Floats, rows: Floats, columns: Floats) -> Floats:
    tokens = np.empty((len(rows), len(columns)), C.dtype)
    for i in range(len(rows)):
        for j in range(len(columns)):
            tokens[i, j] = C[rows[i], columns[j]]
    return tokens


@njit(cache=True)
def _scatter(P: Floats, rows: Floats, columns: Floats, plan: Floats) -> None:
    for i in range(len(rows)):
        for j in range(len(columns)):
            plan[rows[i], columns[j]] = P[i, j]
