"""How a search is cut into pieces that fit the memory: topics that are searched together, panels, blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from optical_cli.artifacts.token_store import TokenStore

CACHE = 4 << 20
"""Bytes of a block on a CPU: larger ones leave its caches between the product and the maxima and gain nothing."""
MOST_COLUMNS = 8192
"""Topic tokens that are searched together: more do not make the product any faster."""
MOST_DOCUMENTS = 1024
"""Documents of a panel, so that progress is heard and no thread has much to do when the others have nothing."""
PANELS = 4
"""Panels a thread at least, in a small collection."""
BYTES_A_NUMBER = 4 + 4 + 4  # of a document token: as float32, rounded, and what rounding took away
BYTES_A_SCORE = 4 * 8  # of a document and a topic: two bounds, two sums, and what they are made of


@dataclass(frozen=True)
class Budget:
    """What a thread may take.

    Attributes:
        panel: bytes of a panel's bounds.
        block: bytes of a block.
        itemsize: bytes of a similarity.
        threads: that search at once.
    """

    panel: int
    block: int
    itemsize: int
    threads: int

    @classmethod
    def of(cls, memory: int, itemsize: int, threads: int, *, cached: bool) -> Self:
        """Share some bytes of memory; where the device is `cached`, a block is not larger than its cache."""
        half = memory // threads // 2
        return cls(half, min(half, CACHE) if cached else half, itemsize, threads)

    def groups(self, topic_lengths: Sequence[int], documents: TokenStore) -> Iterator[tuple[int, int]]:
        """Half-open ranges of topics that are searched together; never less than one topic."""
        longest = int(documents.lengths.max())
        left = self.panel - longest * self._bytes_of_a_token(documents)  # half the memory: so much a block may take
        room = min(MOST_COLUMNS, left // (longest * self.itemsize))
        first = columns = 0
        for topic, length in enumerate(topic_lengths):
            if topic > first and columns + length > room:
                yield first, topic
                first, columns = topic, 0
            columns += length
        yield first, len(topic_lengths)

    def panels(self, documents: TokenStore, topics: int) -> list[tuple[int, int]]:
        """Half-open ranges of documents whose bounds one thread makes; never less than one document."""
        fair = -(-len(documents) // (PANELS * self.threads))
        size = max(1, min(MOST_DOCUMENTS, fair, self.panel // (BYTES_A_SCORE * topics)))
        return [(first, min(first + size, len(documents))) for first in range(0, len(documents), size)]

    def blocks(self, documents: TokenStore, panel: tuple[int, int], columns: int) -> Iterator[tuple[int, int]]:
        """Half-open ranges of a panel's documents that are multiplied at once; never less than one document."""
        room = max(1, self.block // (columns * self.itemsize + self._bytes_of_a_token(documents)))
        first, end = panel
        while first < end:
            within = np.searchsorted(documents.offsets, documents.offsets[first] + room, side="right")
            last = max(int(within) - 1, first + 1)
            yield first, min(last, end)
            first = last

    @staticmethod
    def _bytes_of_a_token(documents: TokenStore) -> int:
        return documents.dimensions * BYTES_A_NUMBER
