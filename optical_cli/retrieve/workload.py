"""How a search is divided: into groups, panels and blocks that fit the memory, and among threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np
import torch

from optical_cli.artifacts.token_store import TokenStore

CACHE = 4 << 20
"""Bytes of a block on a CPU: a larger one leaves the cache between the product and the maxima."""
MOST_COLUMNS = 8192
"""Topic tokens that are searched together; more do not make the product faster."""
MOST_DOCUMENTS = 1024
"""Documents of a panel, so that progress is shown and threads end together."""
PANELS = 4
"""Panels a thread at least, in a small collection."""
BYTES_A_NUMBER = 4 + 4 + 4  # of a document token: as float32, rounded, and what rounding took away
BYTES_A_SCORE = 4 * 8  # of a document and a topic: two bounds, two sums, and what they are made of

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Budget:
    """Memory of each of the threads that search at once, in bytes."""

    panel: int  # of a panel's bounds
    block: int
    itemsize: int  # of a similarity
    threads: int

    @classmethod
    def of(cls, memory: int, itemsize: int, threads: int, *, cached: bool) -> Self:
        """Divide some bytes of memory; on a `cached` device a block is no larger than the cache."""
        half = memory // threads // 2
        return cls(half, min(half, CACHE) if cached else half, itemsize, threads)

    def groups(self, topic_lengths: Sequence[int], documents: TokenStore) -> Iterator[tuple[int, int]]:
        """Half-open ranges of topics that are searched together; at least one topic each."""
        longest = int(documents.lengths.max())
        left = self.panel - longest * documents.dimensions * BYTES_A_NUMBER  # half the memory: so much a block may take
        room = min(MOST_COLUMNS, left // (longest * self.itemsize))
        first = columns = 0
        for topic, length in enumerate(topic_lengths):
            if topic > first and columns + length > room:
                yield first, topic
                first, columns = topic, 0
            columns += length
        yield first, len(topic_lengths)

    def panels(self, documents: TokenStore, topics: int) -> list[tuple[int, int]]:
        """Half-open ranges of documents whose bounds one thread computes; at least one document each."""
        fair = -(-len(documents) // (PANELS * self.threads))
        size = max(1, min(MOST_DOCUMENTS, fair, self.panel // (BYTES_A_SCORE * topics)))
        return [(first, min(first + size, len(documents))) for first in range(0, len(documents), size)]

    def blocks(self, documents: TokenStore, panel: tuple[int, int], columns: int) -> Iterator[tuple[int, int]]:
        """Half-open ranges of a panel's documents that are multiplied at once; at least one document each."""
        room = max(1, self.block // (columns * self.itemsize + documents.dimensions * BYTES_A_NUMBER))
        first, end = panel
        while first < end:
            within = np.searchsorted(documents.offsets, documents.offsets[first] + room, side="right")
            last = max(int(within) - 1, first + 1)
            yield first, min(last, end)
            first = last


class InTurn(Protocol):
    """Calls a function on other threads, and gives the results in the order of the items."""

    def __call__(self, work: Callable[[Item], T], items: Iterable[Item], /) -> Iterator[T]:
        """The result of each item; only a few are computed before they are taken."""


@contextmanager
def single_threads(count: int) -> Iterator[InTurn]:
    """Open threads on each of which torch computes with that thread alone."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "maxsim", torch.set_num_threads, (1,))

    def in_turn(work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
        running: deque[Future[T]] = deque()
        for item in items:
            running.append(pool.submit(work, item))
            if len(running) > 2 * count:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

    try:
        yield in_turn
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # MKL has one setting for all threads, and the pool's have changed it
