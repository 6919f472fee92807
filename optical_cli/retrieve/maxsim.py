"""Exact MaxSim over every document: bound all scores, and compute exactly those that may be among the best.

The ranking is that of the exact scores; blocks, precision and device only change the bounds. A score has the same bits
on every machine, whatever other documents are scored.
"""

from collections.abc import Iterator, Sequence

import numba
import numpy as np
import torch

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.encoder.precision import Resolved
from optical_cli.errors import CacheError
from optical_cli.progress import Advance
from optical_cli.retrieve.bounds import ADDITIONS, NOT_FINITE, UNIT, Bounds, Contenders, Topics
from optical_cli.retrieve.workload import Budget, InTurn, single_threads

TOGETHER = 16
"""Batch size of exact scoring: the float32 tokens of this many documents stay in the processor's cache."""
FEW = 8
"""After the first `depth` contenders, depth / FEW are scored at a time: a call costs less than scoring documents that
turn out too low."""


class MaxSim:
    """Search of the token embeddings of documents by MaxSim.

    Each thread computes products and maxima of whole panels of documents. Threads do not share a product, because
    waiting for each other at its end takes longer than the product on a busy machine.

    Args:
        documents: tokens of the documents.
        memory: limit in bytes for blocks and bounds, besides the mapped pages of the index.
        precision: precision of the matrix products; scores are float32 in either case.
        device: a torch device; for a GPU, one thread computes all panels.
    """

    def __init__(self, documents: TokenStore, *, memory: int, precision: Resolved, device: str) -> None:
        on_cpu = torch.device(device).type == "cpu"
        self._documents = documents
        self._precision = precision
        self._device = device
        self._threads = torch.get_num_threads() if on_cpu else 1
        self._budget = Budget.of(memory, 2 if precision == "bfloat16" else 4, self._threads, cached=on_cpu)

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[tuple[Int64, Float32]]:
        """Find the `depth` best documents of each topic, in no order, with all that tie with the last.

        Args:
            queries: (tokens, dimensions) float32 of each topic.
            depth: number of documents.
            advance: called with the number of scores done.

        Returns:
            for each topic, numbers and scores of documents.
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
        """Score the given documents of each topic, with the same bits as `best`.

        Args:
            queries: (tokens, dimensions) float32 of each topic.
            numbers: (documents,) numbers of the documents to score, for each topic.
            advance: called with the number of scores done.

        Returns:
            for each topic, the numbers and the scores.
        """
        pairs = list(zip(queries, numbers, strict=True))
        with single_threads(self._threads) as in_turn:
            scored = in_turn(lambda pair: score(pair[0].numpy(), self._documents, pair[1]), pairs)
            for (_, of_topic), scores in zip(pairs, scored, strict=True):
                advance(len(of_topic))
                yield of_topic, scores

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
        """Compute the bounds of a panel, block by block."""
        offsets = self._documents.offsets
        blocks = list(self._budget.blocks(self._documents, panel, topics.columns))
        room = topics.room(max(int(offsets[last] - offsets[first]) for first, last in blocks))
        found = []
        for first, last in blocks:
            tokens = self._documents.vectors(offsets[first], offsets[last], self._device)
            found.append(topics.bounds(tokens, offsets[first : last + 1] - offsets[first], room))
        return Bounds(np.concatenate([b.upper for b in found]), np.concatenate([b.lower for b in found]))


def score(query: Float32, documents: TokenStore, numbers: Int64) -> Float32:
    """Compute the exact scores (numbers,) of some documents for a topic (tokens, dimensions).

    Raises:
        CacheError: an embedding is not finite.
    """
    scores = np.empty(len(numbers), dtype=np.float32)
    columns = torch.from_numpy(query).T
    slack = 2 * ADDITIONS * UNIT * len(columns) * torch.linalg.vector_norm(columns, dim=0)
    for first in range(0, len(numbers), TOGETHER):
        tokens, offsets = documents.texts(numbers[first : first + TOGETHER])
        similarity = torch.from_numpy(tokens) @ columns
        longest = torch.linalg.vector_norm(torch.from_numpy(tokens), dim=1).max()
        if not longest.isfinite():
            raise CacheError(NOT_FINITE)
        of_batch = scores[first : first + TOGETHER]
        exact_scores(query, tokens, offsets, similarity.numpy(), (slack * longest).numpy(), of_batch)
    return scores


def best_of(
    query: Float32, documents: TokenStore, contenders: tuple[Int64, Float32], depth: int
) -> tuple[Int64, Float32]:
    """Score contenders until the `depth` best are known, and return them with all that tie with the last.

    Args:
        query: (tokens, dimensions) of a topic.
        documents: tokens of the documents.
        contenders: numbers and upper bounds of documents, in descending order of the upper bound.
        depth: number of documents.

    Returns:
        numbers and scores.
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
    """Return the lowest of the `depth` best scores; -inf for fewer scores."""
    return float(np.partition(scores, -depth)[-depth]) if len(scores) >= depth else -np.inf


@numba.njit(nogil=True, cache=True)
def exact_scores(
    query: Float32, tokens: Float32, offsets: Int64, similarity: Float32, slack: Float32, scores: Float32
) -> None:
    """Compute the MaxSim of documents in float32, summing the products in the order of the dimensions.

    The bits of a score depend on the query and the document only, not on other documents, the number of threads or the
    width of the processor's registers. Sums in this order are slow, so they are only computed for document tokens that
    may have the maximum, by similarities that are nearly the same.

    Args:
        query: (tokens, dimensions).
        tokens: (tokens of all documents, dimensions).
        offsets: (documents + 1,), rows where documents begin and end.
        similarity: (tokens of all documents, tokens of the query), dot products summed in any order.
        slack: (tokens of the query,), largest difference between such a sum and one in order, doubled.
        scores: (documents,), filled.
    """
    floor = np.empty(len(query), dtype=np.float32)
    for document in range(len(scores)):
        floor[:] = -np.inf
        for row in range(offsets[document], offsets[document + 1]):
            for j in range(len(floor)):
                floor[j] = max(floor[j], similarity[row, j])
        floor -= slack
        total = np.float32(0)
        for j in range(len(floor)):
            best = np.float32(-np.inf)
            for row in range(offsets[document], offsets[document + 1]):
                if similarity[row, j] >= floor[j]:
                    product = np.float32(0)
                    for k in range(query.shape[1]):
                        product += query[j, k] * tokens[row, k]
                    best = max(best, product)
            total += best
        scores[document] = total
