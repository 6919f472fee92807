"""What the compiled solvers share: stale code, the plans of a batch among threads, tokens without mass."""

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

PROBE = 2  # plans whose time tells whether the others are worth sharing
WORTH_SHARING = 6e-4  # seconds of work; less is done before a helper has woken up


def drop_stale(folder: Path = Path(__file__).parent) -> None:
    """Remove compiled code that is older than the newest source beside it, in so far as it may be removed.

    A function is compiled together with those it calls, and numba compares the date of its own file alone: after a
    `git pull` that changes one file, callers in the others would go on with the old code.
    """
    newest = max(source.stat().st_mtime for source in folder.glob("*.py"))
    if newest > time():
        return  # a clock that went back: nothing that is compiled from now on would look new enough
    for index in folder.glob("__pycache__/*.nbi"):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:  # another process was first, or the folder is not ours to write: then numba keeps none here
            continue


drop_stale()  # before numba looks for what it has compiled


def solve_batch(problem: TransportProblem, solve_plans: Callable[[Batch, int, int, Batch], None]) -> Solution:
    """Solve all plans of a batch on the CPU.

    `solve_plans(batch, first, last, found)` reads cost, a and b of these plans, and writes plan, f, g (zero at first)
    and iterations.
    """
    C, a, b = (x.detach().contiguous().numpy() for x in (problem.cost, problem.a, problem.b))
    found = np.empty_like(C), np.zeros_like(a), np.zeros_like(b), np.zeros(len(C), np.int64)
    share(lambda first, last: solve_plans((C, a, b), first, last, found), len(C))
    return Solution(*map(torch.from_numpy, found))


def share(work: Callable[[int, int], None], plans: int) -> None:
    """Do all plans on the calling thread, with the help of others (as many as torch may use) if that takes long.

    Not numba's own `prange`: OpenMP's threads spin at its barrier, and a batch of 0.6 ms took 8 ms as soon as another
    process wanted the cores. Here nobody waits for a helper that has not begun, so a late one costs nothing. Nor is
    numba asked for its number of threads: it would start its own OpenMP, and with it set the number that torch uses.

    `work(first, last)` does these plans, `last` excluded, without the interpreter's lock; what it raises passes on.
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
    """Half of a fair share of what is left, again and again: few calls, and threads that end together.

    From a list, whose `next` is atomic under the interpreter's lock; a generator cannot be shared.
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
    """The costs (rows, columns) between tokens that have mass; C itself if all have."""
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
    """Write the potentials of the tokens that have mass."""
    for i in range(len(tokens)):  # `potentials[tokens] = values` takes 2 s more to compile
        potentials[tokens[i]] = values[i]


@njit(cache=True)
def scatter(K: Floats, u: Floats, v: Floats, rows: Floats, columns: Floats, plan: Floats) -> None:
    """Write diag(u) K diag(v) where the tokens stand that have mass, and zero elsewhere."""
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
    """Whether padding stands behind, as it mostly does: then nothing has to be looked up."""
    return bool(rows[-1] == len(rows) - 1 and columns[-1] == len(columns) - 1)
