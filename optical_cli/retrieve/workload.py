"""Divide a search into groups of topics, panels and blocks of documents that fit the memory, and among threads."""

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
"""Maximum bytes of a block on a CPU: the cache holds it between the product and the maxima."""
TILE = 512
"""Maximum number of topic tokens in a product on a CPU. At the same size, a product of many document tokens with few
topic tokens is faster than one of few with many."""
MOST_COLUMNS = 8192
"""Maximum number of topic tokens that are searched together; more do not make the product faster."""
MOST_DOCUMENTS = 1024
"""Maximum number of documents of a panel, so that progress is steady and threads end together."""
PANELS = 4
"""Minimum number of panels per thread, in a small collection."""
BYTES_A_NUMBER = 4 + 4 + 4  # of a document token: float32, rounded, and the rounding error
BYTES_A_SCORE = 4 * 8  # of a document and a topic: two bounds, two sums and temporary arrays

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Budget:
    """The memory of each search thread, in bytes."""

    panel: int  # for the bounds of a panel
    block: int  # for a block of tokens and their similarities
    itemsize: int  # of a similarity
    threads: int  # number of threads

    @classmethod
    def of(cls, memory: int, itemsize: int, threads: int, *, cached: bool) -> Self:
        """Divide the memory among threads; with `cached`, a block is no larger than the processor's cache."""
        half = memory // threads // 2
        return cls(half, min(half, CACHE) if cached else half, itemsize, threads)

    def groups(self, topic_lengths: Sequence[int], documents: TokenStore) -> Iterator[tuple[int, int]]:
        """Yield half-open ranges of topics to search together, with at least one topic each."""
        longest = int(documents.lengths.max())
        left = self.panel - longest * documents.dimensions * BYTES_A_NUMBER  # for similarities of the longest document
        room = min(MOST_COLUMNS, left // (longest * self.itemsize))
        yield from ranges(topic_lengths, room)

    def panels(self, documents: TokenStore, topics: int) -> list[tuple[int, int]]:
        """Return half-open ranges of documents, with at least one document each; one thread computes a panel."""
        fair = -(-len(documents) // (PANELS * self.threads))
        size = max(1, min(MOST_DOCUMENTS, fair, self.panel // (BYTES_A_SCORE * topics)))
        return [(first, min(first + size, len(documents))) for first in range(0, len(documents), size)]

    def blocks(self, documents: TokenStore, panel: tuple[int, int], columns: int) -> Iterator[tuple[int, int]]:
        """Yield half-open ranges of a panel's documents, with at least one document each, for one product each."""
        room = max(1, self.block // (columns * self.itemsize + documents.dimensions * BYTES_A_NUMBER))
        first, end = panel
        while first < end:
            within = np.searchsorted(documents.offsets, documents.offsets[first] + room, side="right")
            last = max(int(within) - 1, first + 1)
            yield first, min(last, end)
            first = last


def ranges(topic_lengths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of topics with at most `room` tokens, or with one topic."""
    first = columns = 0
    for topic, length in enumerate(topic_lengths):
        if topic > first and columns + length > room:
            yield first, topic
            first, columns = topic, 0
        columns += length
    yield first, len(topic_lengths)


class InTurn(Protocol):
    """Calls a function on a pool of threads, and yields the results in the order of the items."""

    def __call__(self, work: Callable[[Item], T], items: Iterable[Item], /) -> Iterator[T]:
        """Yield the result of each item. Only a few results are computed ahead."""


@contextmanager
def single_threads(count: int) -> Iterator[InTurn]:
    """Open a pool of threads, in each of which torch uses one thread only."""
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
        torch.set_num_threads(before)  # MKL has one setting for all threads, which the pool has changed
