"""Shared by the compiled solvers: removal of stale compiled code, threads for a batch of plans, skipping of padding."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from time import perf_counter, time
from typing import Any, TypeAlias

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import get_num_threads

from optical_cli.transport.problem import Solution, TransportProblem

Floats: TypeAlias = NDArray[Any]
Batch: TypeAlias = tuple[Floats, ...]

PROBE = 2  # plans that are timed to decide whether to use more threads for the others
WORTH_SHARING = 6e-4  # seconds of work; less is done before another thread has woken up


def drop_stale(folder: Path = Path(__file__).parent) -> None:
    """Remove numba's compiled code from a package folder if it is older than the newest source file there.

    numba compiles a function together with those it calls, but compares the date of the function's own file only. After
    a `git pull` that changes one file, functions in other files would otherwise run with the old code.
    """
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    if newest > time():
        return  # a source from the future: code compiled now would look stale at each start
    for index in folder.glob("__pycache__/*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:  # removed by another process, or a read-only folder, where numba caches nothing either
            continue


drop_stale()  # before numba reads its cache


def solve_batch(problem: TransportProblem, solve_plans: Callable[[Batch, int, int, Batch], None]) -> Solution:
    """Solve all plans of a batch on the CPU.

    Args:
        problem: costs and marginals.
        solve_plans: called as `solve_plans((C, a, b), first, last, (P, f, g, iterations))` with the arrays of the whole
            batch; fills P, f, g and iterations of the plans `first` to `last` - 1. f, g and iterations are 0 before.
    """
    C, a, b = (x.detach().contiguous().numpy() for x in (problem.cost, problem.a, problem.b))
    found = np.empty_like(C), np.zeros_like(a), np.zeros_like(b), np.zeros(len(C), np.int64)
    share(lambda first, last: solve_plans((C, a, b), first, last, found), len(C))
    return Solution(*map(torch.from_numpy, found))


def share(work: Callable[[int, int], None], plans: int) -> None:
    """Do some work for each plan, on the calling thread and, if that takes long, on as many others as torch may use.

    This is not numba's `prange`: its OpenMP threads spin at a barrier, and a batch of 0.6 ms took 8 ms while another
    process used the cores. Here the caller does not wait for a thread that has not started. Nor is numba asked for its
    number of threads: that would start its own OpenMP, which also sets the number of threads of torch.

    Args:
        work: called as `work(first, last)` for the plans `first` to `last` - 1; must release the interpreter lock.
            Exceptions are raised again in the caller.
        plans: number of plans.
    """
    begin = perf_counter()
    first = min(PROBE, plans)
    work(0, first)
    left = plans - first
    expected = (perf_counter() - begin) / first * left
    helpers = get_num_threads() - 1 if expected > WORTH_SHARING else 0
    if not helpers:
        if left:
            work(first, plans)
        return
    queue = _portions(first, plans, helpers + 1)

    def run() -> None:
        for portion in queue:
            work(*portion)

    futures = [_pool(helpers).submit(run) for _ in range(helpers)]
    try:
        run()
    finally:
        begun = [future for future in futures if not future.cancel()]
        faults = [future.exception() for future in begun]  # waits for them
    for fault in filter(None, faults):
        raise fault


def _portions(first: int, last: int, threads: int) -> Iterator[tuple[int, int]]:
    """Divide a range among threads: each portion is half of a fair share of the rest.

    Portions become smaller, so that there are few calls and threads end together. The iterator is that of a list, whose
    `next` is atomic under the interpreter lock; threads cannot share a generator.
    """
    portions = []
    while first < last:
        size = max((last - first) // (2 * threads), 1)
        portions.append((first, first + size))
        first += size
    return iter(portions)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="transport")


@njit(cache=True)
def gather(C: Floats, rows: Floats, columns: Floats) -> Floats:
    """Return the costs (rows, columns) between the tokens that have mass; C itself if all tokens have."""
    if len(rows) * len(columns) == C.size:
        return C
    tokens = np.empty((len(rows), len(columns)), C.dtype)
    if _lead(rows, columns):
        for i in range(len(rows)):
            for j in range(len(columns)):
                tokens[i, j] = C[i, j]
        return tokens
    for i in range(len(rows)):
        for j in range(len(columns)):
            tokens[i, j] = C[rows[i], columns[j]]
    return tokens


@njit(cache=True)
def place(values: Floats, tokens: Floats, potentials: Floats) -> None:
    """Write `values` into `potentials` at the positions `tokens`, those of the tokens that have mass."""
    for i in range(len(tokens)):  # `potentials[tokens] = values` takes 2 s longer to compile
        potentials[tokens[i]] = values[i]


@njit(cache=True)
def scatter(K: Floats, u: Floats, v: Floats, rows: Floats, columns: Floats, plan: Floats) -> None:
    """Write diag(u) K diag(v) into `plan` at the rows and columns of tokens that have mass, and 0 elsewhere."""
    if len(rows) * len(columns) < plan.size:
        plan[:] = 0
    lead = _lead(rows, columns)
    for i in range(len(rows)):
        own = u[i]
        if lead:
            for j in range(len(columns)):
                plan[i, j] = own * K[i, j] * v[j]
        else:
            for j in range(len(columns)):
                plan[rows[i], columns[j]] = own * K[i, j] * v[j]


@njit(cache=True)
def _lead(rows: Floats, columns: Floats) -> bool:
    """Whether all padding comes after the tokens, as is usual: then indices need no lookup."""
    return bool(rows[-1] == len(rows) - 1 and columns[-1] == len(columns) - 1)
