"""Work that goes on in several threads at once, none of which calls for others."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
Item = TypeVar("Item")


class InTurn:
    """Calls work on other threads, and gives its results in the order of the items."""

    def __init__(self, pool: ThreadPoolExecutor, ahead: int) -> None:
        self._pool = pool
        self._ahead = ahead

    def __call__(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
        """The result of each item; no more than a few are made before they are taken."""
        running: deque[Future[T]] = deque()
        for item in items:
            running.append(self._pool.submit(work, item))
            if len(running) > self._ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


@contextmanager
def threads(count: int) -> Iterator[InTurn]:
    """Threads whose products do not call for others."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "maxsim", torch.set_num_threads, (1,))
    try:
        yield InTurn(pool, 2 * count)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # MKL has one setting for all threads, and the pool's have changed it
