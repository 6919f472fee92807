"""Sharing the plans of a batch among threads that a busy machine does not bring to a halt."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import perf_counter

from torch import get_num_threads

PROBE = 2  # plans whose time tells whether the others are worth sharing
WORTH_SHARING = 6e-4  # seconds of work; less is done before a helper has woken up


def share(work: Callable[[int, int], None], plans: int) -> None:
    """Do all plans on the calling thread, with the help of others (as many as torch may use) if that takes long.

    Not numba's own `prange`: OpenMP's threads spin at its barrier, and a batch of 0.6 ms took 8 ms as soon as another
    process wanted the cores. Here nobody waits for a helper that has not begun, so a late one costs nothing. Nor is
    numba asked for its number of threads: it would start its own OpenMP, and with it set the number that torch uses.

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
