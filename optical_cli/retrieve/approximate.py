"""MaxSim over the promising documents: lists near a topic's tokens say which these are, exact scores how good they are.

As in PLAID and WARP (Santhanam et al. 2022, arXiv 2205.09707; Scheerer et al. 2025, arXiv 2501.17788), every token of
the lists that a topic's token looks into counts, and not only some nearest ones: on 20,000 documents that was twice as
fast as faiss' own search of these lists at the same recall.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from optical_cli.artifacts.quantized_index import QuantizedIndex
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.progress import Advance
from optical_cli.retrieve.exact import score
from optical_cli.retrieve.maxima_numba import Float32, Int64
from optical_cli.retrieve.promise_numba import promises
from optical_cli.retrieve.threads import threads

BYTES_A_DOCUMENT = 4 + 4 + 4
"""That a thread needs: a sum, a maximum, and its number when it was found."""


class ApproximateMaxSim:
    """The search of a quantised index, on the CPU.

    Nothing but a topic and the index decides its ranking: not the other topics, and not the number of threads.

    Args:
        documents: their tokens.
        quantized: these tokens, quantised.
        probes: lists that a token of a topic looks into.
        rescored: documents of a topic that are scored exactly.
        memory: bytes that may be taken, the pages of both indexes left out.
    """

    def __init__(
        self, documents: TokenStore, quantized: QuantizedIndex, *, probes: int, rescored: int, memory: int
    ) -> None:
        self._documents = documents
        self._quantized = quantized
        self._probes = min(probes, len(quantized.centroids))
        self._rescored = rescored
        fitting = memory // (BYTES_A_DOCUMENT * len(documents))
        self._threads = max(1, min(torch.get_num_threads(), fitting))
        self._centroids = torch.from_numpy(quantized.centroids)
        self._codebooks = torch.from_numpy(quantized.codebooks)

    def best(self, queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[tuple[Int64, Float32]]:
        """For each topic numbers and exact scores of its most promising documents, in no order.

        Args:
            queries: each (tokens, dimensions) float32.
            advance: hears of each topic.
        """
        with threads(self._threads) as in_turn:
            for found in in_turn(self._scored, queries):
                advance(1)
                yield found

    def _scored(self, query: torch.Tensor) -> tuple[Int64, Float32]:
        numbers = self._promising(query)
        return numbers, score(query.numpy(), self._documents, numbers)

    def _promising(self, query: torch.Tensor) -> Int64:
        """Numbers of the documents to be rescored, ascending; of all of them if they are no more."""
        if len(self._documents) <= self._rescored:
            return np.arange(len(self._documents))
        coarse, probes = (query @ self._centroids.T).topk(self._probes, dim=1)  # (topic tokens, probes) each
        sums, best_of_token = np.zeros((2, len(self._documents)), dtype=np.float32)
        found = np.empty(len(self._documents), dtype=np.int32)
        count = promises(
            self._tables(query), coarse.numpy(), probes.numpy(), self._quantized.starts, self._quantized.codes,
            self._quantized.documents, sums, best_of_token, found,
        )  # fmt: skip
        numbers = np.sort(found[:count]) if count > self._rescored else np.arange(len(sums))
        most = np.argpartition(-sums[numbers], self._rescored - 1)[: self._rescored]
        return np.sort(numbers[most]).astype(np.int64)

    def _tables(self, query: torch.Tensor) -> Float32:
        """(topic tokens, bytes, 256) what each value of each byte of a code adds to a similarity."""
        width, _, part = self._codebooks.shape
        parts = query.view(len(query), width, part).transpose(0, 1)
        return torch.bmm(parts, self._codebooks.transpose(1, 2)).transpose(0, 1).contiguous().numpy()
