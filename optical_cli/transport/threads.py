"""Sharing the plans of a batch among threads that a busy machine does not bring to a halt."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from time import perf_counter

from numba import get_num_threads

PROBE = 2  # plans whose time tells whether the others are worth sharing, and in what portions
WORTH_SHARING = 3e-4  # seconds of work; less is done before a helper has woken up
PORTIONS = 4  # a thread: few enough that calls cost nothing, enough that threads end together


def share(work: Callable[[int, int], None], plans: int) -> None:
    """Do all plans on the calling thread, with the help of others (as many as numba may use) if that takes long.

    Not numba's own `prange`: OpenMP's threads spin at its barrier, and a batch of 0.6 ms took 8 ms as soon as another
    process wanted the cores. Here nobody waits for a helper that has not begun, so a late one costs nothing.

    Args:
        work: does the plans from the first number to before the second; compiled, and free of the interpreter's lock
            while it runs.
        plans: how many there are; each is done once, by any thread.

    Raises:
        Exception: what a portion raised.
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
    size = max(left // (PORTIONS * (helpers + 1)), 1)
    queue = iter(range(first, plans, size))  # shared: `next` of it is atomic under the interpreter's lock

    def run() -> None:
        for start in queue:
            work(start, min(start + size, plans))

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
