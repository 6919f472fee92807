"""Exact MaxSim over every document: bounds of all, exact scores of those that may be among the best.

The ranking is that of the exact scores, whatever the blocks, the precision of the products and the device: bounds
only say which documents need not be scored.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.encoder.precision import Resolved
from optical_cli.progress import Advance
from optical_cli.retrieve.bounds import Bounds, Contenders, Topics
from optical_cli.retrieve.exact import best, score
from optical_cli.retrieve.workload import Budget, InTurn, single_threads


class MaxSim:
    """The search of an index.

    Each thread computes the product and the maxima of whole panels of documents: no thread waits for another at the end
    of a product, which on a busy machine takes longer than the product.

    Args:
        documents: their tokens.
        memory: bytes of blocks and bounds, the pages of the index left out.
        precision: of the matrix products; the scores are float32 in either.
        device: a torch device; a GPU is given panels by a single thread.
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
                    lambda pair: best(pair[0].numpy(), self._documents, pair[1], depth),
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
