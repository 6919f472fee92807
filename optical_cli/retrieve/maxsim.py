"""Exact MaxSim over every document: bounds of all, exact scores of those that may be among the best.

The ranking is that of the exact scores, whatever the blocks, the precision of the products and the device: bounds
only say which documents need not be scored. A score has the same bits whatever else is scored, and on every machine.
"""

from collections.abc import Iterator, Sequence

import numba
import numpy as np
import torch

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.encoder.precision import Resolved
from optical_cli.progress import Advance
from optical_cli.retrieve.bounds import Bounds, Contenders, Topics
from optical_cli.retrieve.workload import Budget, InTurn, single_threads

TOGETHER = 16
"""Documents that are scored at a time: their tokens as float32 stay in the processor's cache."""
FEW = 8
"""How many times fewer are scored at a time than are wanted: one call too many costs less than so many documents."""


class MaxSim:
    """The search of an index.

    Each thread computes the product and the maxima of whole panels of documents: no thread waits for another at the end
    of a product, which on a busy machine takes longer than the product.

    Args:
        documents: their tokens.
        memory: bytes of blocks and bounds, the pages of the index left out.
        precision: of the matrix products; the scores are float32 in either.
        device: a GPU is given panels by a single thread.
    """

    def __init__(self, documents: TokenStore, *, memory: int, precision: Resolved, device: str) -> None:
        on_cpu = torch.device(device).type == "cpu"
        self._documents = documents
        self._precision = precision
        self._device = device
        self._threads = torch.get_num_threads() if on_cpu else 1
        self._budget = Budget.of(memory, 2 if precision == "bfloat16" else 4, self._threads, cached=on_cpu)

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[tuple[Int64, Float32]]:
        """For each topic its `depth` best documents, in no order, with all that tie with the last.

        Queries are (tokens, dimensions) float32; `advance` counts scores.
        """
        with single_threads(self._threads) as in_turn:
            for first, last in self._budget.groups([len(query) for query in queries], self._documents):
                group = queries[first:last]
                contenders = self._contenders(group, depth, in_turn, advance).of_topics()
                yield from in_turn(
                    lambda pair: best_of(pair[0].numpy(), self._documents, pair[1], depth),
                    zip(group, contenders, strict=True),
                )

    def scores(
        self, queries: Sequence[torch.Tensor], numbers: Sequence[Int64], advance: Advance
    ) -> Iterator[tuple[Int64, Float32]]:
        """For each topic some numbers of documents, (documents,), and their scores, the same as those of `best`."""
        pairs = list(zip(queries, numbers, strict=True))
        with single_threads(self._threads) as in_turn:
            scored = in_turn(lambda pair: score(pair[0].numpy(), self._documents, pair[1]), pairs)
            for (_, own), scores in zip(pairs, scored, strict=True):
                advance(len(own))
                yield own, scores

    def _contenders(self, queries: Sequence[torch.Tensor], depth: int, in_turn: InTurn, advance: Advance) -> Contenders:
        topics = Topics(queries, self._precision, self._device)
        found = Contenders(len(queries), depth)
        panels = self._budget.panels(self._documents, len(queries))
        bounds = in_turn(lambda panel: self._bounds(topics, panel), panels)
        for (first, last), of_panel in zip(panels, bounds, strict=True):
            found.add(first, of_panel)
            advance((last - first) * len(queries))
        return found

    def _bounds(self, topics: Topics, panel: tuple[int, int]) -> Bounds:
        """The bounds of a panel, block by block."""
        offsets = self._documents.offsets
        blocks = list(self._budget.blocks(self._documents, panel, topics.tokens))
        room = topics.room(max(int(offsets[last] - offsets[first]) for first, last in blocks))
        found = []
        for first, last in blocks:
            tokens = self._documents.vectors(offsets[first], offsets[last], self._device)
            found.append(topics.bounds(tokens, offsets[first : last + 1] - offsets[first], room))
        return Bounds(np.concatenate([b.upper for b in found]), np.concatenate([b.lower for b in found]))


def score(query: Float32, documents: TokenStore, numbers: Int64) -> Float32:
    """(numbers,) the scores of some documents for a topic, (tokens, dimensions)."""
    scores = np.empty(len(numbers), dtype=np.float32)
    for first in range(0, len(numbers), TOGETHER):
        tokens, offsets = documents.texts(numbers[first : first + TOGETHER])
        exact_scores(query, tokens, offsets, scores[first : first + TOGETHER])
    return scores


def best_of(
    query: Float32, documents: TokenStore, contenders: tuple[Int64, Float32], depth: int
) -> tuple[Int64, Float32]:
    """Numbers and scores of the `depth` best contenders, and of those that the last of them may tie with.

    Contenders are numbers and upper bounds, the most promising first. These are scored first, then a few at a time,
    until no other can reach the last of the best.
    """
    numbers, upper = contenders
    scores = score(query, documents, numbers[:depth])
    while len(scores) < len(numbers) and upper[len(scores)] >= _last(scores, depth) - TIE:
        more = numbers[len(scores) : len(scores) + max(depth // FEW, 1)]
        scores = np.concatenate([scores, score(query, documents, more)])
    last = _last(scores, depth)
    stay = scores >= last - TIE
    return numbers[: len(scores)][stay], scores[stay]


def _last(scores: Float32, depth: int) -> float:
    """The lowest of the `depth` best scores; -inf if there are not as many."""
    return float(np.partition(scores, -depth)[-depth]) if len(scores) >= depth else -np.inf


@numba.njit(nogil=True, cache=True)
def exact_scores(query: Float32, tokens: Float32, offsets: Int64, scores: Float32) -> None:
    """Compute the MaxSim of documents in float32, one product after the other in the order of the dimensions.

    A score follows from the query and the document alone: not from other documents, the number of threads, or how wide
    the processor's registers are.

    Args:
        query: (tokens, dimensions).
        tokens: (tokens of all documents, dimensions).
        offsets: (documents + 1,) rows where documents begin and end.
        scores: (documents,), filled.
    """
    count, dimensions = query.shape
    columns = np.zeros((-(-dimensions // 4) * 4, -(-count // 16) * 16), dtype=np.float32)  # zeros add nothing
    columns[:dimensions, :count] = query.T
    token = np.zeros(len(columns), dtype=np.float32)
    similarity, best = np.empty((2, columns.shape[1]), dtype=np.float32)
    for document in range(len(scores)):
        best[:] = -np.inf
        for row in range(offsets[document], offsets[document + 1]):
            token[:dimensions] = tokens[row]
            similarity[:] = 0
            for dimension in range(0, len(token), 4):  # four a turn: a sum is loaded and stored once for them
                a, b, c, d = token[dimension : dimension + 4]
                p, q, r, s = columns[dimension : dimension + 4]
                for j in range(len(similarity)):
                    similarity[j] = (((similarity[j] + a * p[j]) + b * q[j]) + c * r[j]) + d * s[j]
            for j in range(len(best)):
                best[j] = max(best[j], similarity[j])
        total = np.float32(0)
        for j in range(count):
            total += best[j]
        scores[document] = total
