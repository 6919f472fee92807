"""The documents that may be among a topic's best, while the rest of the collection is still to come."""

import numpy as np
import numpy.typing as npt

from optical_cli.artifacts.run import TIE
from optical_cli.retrieve.bounds import Bounds
from optical_cli.retrieve.maxima_numba import Float32, Int64

SPARE = 8
"""Times the depth that a topic's candidates may grow before those that have fallen behind are dropped."""


class Candidates:
    """Of each topic those documents that no `depth` others are known to be ahead of.

    Args:
        topics: how many there are.
        depth: documents wanted for each.
    """

    def __init__(self, topics: int, depth: int) -> None:
        self._depth = depth
        self._floor = np.full(topics, -np.inf, dtype=np.float32)
        self._held: list[tuple[Int64, Int64, Float32, Float32]] = []  # topics, documents, upper and lower bounds
        self._count = 0
        self._limit = SPARE * depth * topics

    def add(self, first: int, bounds: Bounds) -> None:
        """Take in the documents from number `first` on."""
        documents, topics = np.nonzero(bounds.upper >= self._floor)
        self._held.append((topics, documents + first, bounds.upper[documents, topics], bounds.lower[documents, topics]))
        self._count += len(topics)
        if self._count > self._limit:
            self._drop()
            self._limit = max(self._limit, 2 * self._count)

    def of_topics(self) -> list[tuple[Int64, Float32]]:
        """For each topic numbers and upper bounds of its candidates, the most promising first."""
        self._drop()
        topics, documents, upper, _ = self._held[0]
        order = np.lexsort((documents, -upper, topics))
        ends = np.searchsorted(topics[order], np.arange(1, len(self._floor)))
        return list(zip(np.split(documents[order], ends), np.split(upper[order], ends), strict=True))

    def _drop(self) -> None:
        """Raise each topic's floor to what `depth` documents are sure to reach, and drop what cannot reach it."""
        topics, documents, upper, lower = (np.concatenate(parts) for parts in zip(*self._held, strict=True))
        order = np.lexsort((-lower, topics))
        begins = np.searchsorted(topics[order], np.arange(len(self._floor) + 1))
        full = np.diff(begins) >= self._depth
        reached = lower[order[begins[:-1][full] + self._depth - 1]]
        self._floor[full] = np.maximum(self._floor[full], reached - np.float32(TIE))
        stay: npt.NDArray[np.bool_] = upper >= self._floor[topics]
        self._held = [(topics[stay], documents[stay], upper[stay], lower[stay])]
        self._count = int(stay.sum())
