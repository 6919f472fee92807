"""Exact MaxSim by workers, each over some of the documents, and what they find put together."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.encoder.device import device_of_worker
from optical_cli.encoder.precision import Resolved
from optical_cli.errors import CacheError
from optical_cli.processes import Workers
from optical_cli.progress import Advance
from optical_cli.retrieve.maxsim import MaxSim

PARTS = 2
"""Parts a worker, so that none waits long for the last: each scores some documents of its own exactly."""
FEWEST_DOCUMENTS = 512
"""Of a part, for the same reason."""

Found = tuple[Int64, Float32]


@dataclass(frozen=True)
class Search:
    """What all parts of a search share.

    Attributes:
        index: a folder that all nodes see.
        documents: how many it has.
        depth: documents wanted for a topic.
        memory: bytes that blocks and bounds of a worker may take.
        precision: of the matrix products.
        device: of a worker.
    """

    index: Path
    documents: int
    depth: int
    memory: int
    precision: Resolved
    device: str


class SpreadMaxSim:
    """The search of an index by workers; what is found is that of `MaxSim`.

    A document's score follows from its own tokens and the topic's alone, so it is the same in any part.

    Args:
        workers: that search.
        index: a folder that all nodes see.
        documents: the tokens it has.
        memory: bytes that blocks and bounds of a worker may take, the index's own pages left out.
        precision: of the matrix products; the scores are float32 in either.
        device: of this process; that of a worker is of the same kind.
    """

    def __init__(
        self, workers: Workers, index: Path, documents: TokenStore,
        *, memory: int, precision: Resolved, device: str,
    ) -> None:  # fmt: skip
        self._workers = workers
        self._index = index
        self._documents = documents
        self._how = (memory, precision, device_of_worker(device))

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """For each topic numbers and scores of its best documents, in no order, with all that tie with the last.

        Args:
            queries: each (tokens, dimensions) float32.
            depth: documents wanted for a topic.
            advance: hears of the documents of each part, once for each topic.
        """
        search = Search(self._index, len(self._documents), depth, *self._how)
        lengths = np.array([len(query) for query in queries])
        parts = parts_of(self._documents.offsets, PARTS * max(self._workers.count, 1))
        work = partial(_search, search, torch.cat(list(queries)).numpy(), lengths)
        found: list[list[Found]] = []
        for part, of_part in zip(parts, self._workers.in_turn(work, parts), strict=True):
            found.append(of_part)
            advance((part[1] - part[0]) * len(queries))
        return (merged(of_topic, depth) for of_topic in zip(*found, strict=True))


def parts_of(offsets: Int64, count: int) -> list[tuple[int, int]]:
    """Half-open ranges of documents with about as many tokens each; fewer than wanted if they would be small.

    Args:
        offsets: (documents + 1,) where the tokens of each begin.
        count: parts wanted.
    """
    documents = len(offsets) - 1
    count = max(1, min(count, documents // FEWEST_DOCUMENTS))
    wanted = offsets[0] + (offsets[-1] - offsets[0]) * np.arange(1, count) // count
    ends = [0, *(int(end) for end in np.searchsorted(offsets, wanted)), documents]
    return [(first, last) for first, last in pairwise(ends) if first < last]


def merged(parts: Sequence[Found], depth: int) -> Found:
    """The best of what was found in several parts: the `depth` best of all, and those that the last may tie with.

    Each part has its own, and the last of all is not below the last of any, so none is missing.

    Args:
        parts: numbers and scores of each.
        depth: documents wanted.
    """
    numbers, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
    if len(scores) <= depth:
        return numbers, scores
    stay = scores >= float(np.partition(scores, -depth)[-depth]) - TIE
    return numbers[stay], scores[stay]


def _search(search: Search, tokens: Float32, lengths: Int64, part: tuple[int, int]) -> list[Found]:
    """The best of a part for each topic; topics as their tokens (tokens of all topics, dimensions), and lengths."""
    store, (first, last) = _opened(search), part
    maxsim = MaxSim(store.part(first, last), memory=search.memory, precision=search.precision, device=search.device)
    stacked = torch.from_numpy(np.array(tokens))  # a copy: torch wants to be able to write
    queries = torch.split(stacked, lengths.tolist())
    return [(numbers + first, scores) for numbers, scores in maxsim.best(queries, search.depth, lambda _done: None)]


@lru_cache(maxsize=1)
def _opened(search: Search) -> TokenStore:
    try:
        store = TokenStore.open(search.index)
    except (OSError, ValueError) as error:
        raise _absent(search, str(error)) from error
    if len(store) != search.documents:
        raise _absent(search, f"{len(store)} documents, {search.documents} expected")
    return store


def _absent(search: Search, said: str) -> CacheError:
    return CacheError(
        f"{search.index}: on {platform.node()} it is not the index that it is here ({said}); every node needs to see "
        "the same cache folder"
    )
