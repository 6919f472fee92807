"""MaxSim of a block of documents for many topics at once, as bounds that the exact score keeps to.

A block is one matrix product of its document tokens with all topic tokens, the largest value of each document's
segment, and the sum over each topic's tokens (Khattab and Zaharia 2020, arXiv 2004.12832). The product may be taken in
bfloat16. How far it can be off follows from what rounding did to the very tokens that were multiplied: with q' for the
rounded q, |<q', d'> - <q, d>| <= |q' - q| |d'| + |q| |d' - d| (Cauchy and Schwarz), and the largest of several numbers
is off by no more than the one that is off most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from optical_cli.encoder.precision import Resolved
from optical_cli.errors import CacheError
from optical_cli.retrieve.maxima_numba import Float32, Int64, sum_of_maxima

UNIT = 2.0**-24
"""By how much a float32 operation is off at most, relative to its result."""
HALF_STEP = {torch.float32: 0.0, torch.bfloat16: 2.0**-8}
"""The same of rounding a product to the format it is given back in."""
ADDITIONS = 4
"""Sums of as many float32 numbers that lie between bound and score: in the product and in the score, over dimensions
and over tokens; twice, for matrix units that cut off where they should round."""


NOT_FINITE = "the index holds an embedding that is not finite; `optical cache verify` names its folder"


@dataclass(frozen=True)
class Bounds:
    """Between which values exact scores lie.

    Attributes:
        upper: (documents, topics) none is above.
        lower: (documents, topics) none is below.
    """

    upper: Float32
    lower: Float32


class Topics:
    """The token embeddings of some topics, ready to be multiplied with.

    Args:
        queries: each (tokens, dimensions) float32.
        precision: of the matrix products.
        device: a torch device; on a CPU the segments are reduced by compiled code.

    Attributes:
        tokens: how many there are of all topics.
    """

    def __init__(self, queries: Sequence[torch.Tensor], precision: Resolved, device: str) -> None:
        self._device = torch.device(device)
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        lengths = [len(query) for query in queries]
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        stacked = torch.cat(list(queries))
        self.tokens = len(stacked)
        rounded = stacked.to(self._dtype)
        self._multiplied = rounded.T.to(self._device)  # (dimensions, tokens of all topics)
        self._norm = self._of_topics(stacked)
        self._residual = self._of_topics(stacked - rounded.float())
        self._additions = ADDITIONS * UNIT * (stacked.shape[1] + np.array(lengths))  # (topics,)
        if self._device.type == "cuda":  # what the bounds take for granted
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False

    def _of_topics(self, vectors: torch.Tensor) -> npt.NDArray[np.float64]:
        """(topics,) the lengths of a topic's vectors, added up."""
        return np.add.reduceat(torch.linalg.vector_norm(vectors.double(), dim=1).numpy(), self._starts[:-1])

    def room(self, tokens: int) -> torch.Tensor:
        """Memory for the products of as many document tokens, to be used again and again: new pages are slow."""
        return torch.empty(tokens * self.tokens, dtype=self._dtype, device=self._device)

    def bounds(self, tokens: torch.Tensor, offsets: Int64, room: torch.Tensor) -> Bounds:
        """Multiply with the tokens of some documents.

        Args:
            tokens: (tokens, dimensions) float32 of the documents, on the device.
            offsets: (documents + 1,) where each begins and ends.
            room: for as many tokens, or more; it is written over.

        Raises:
            CacheError: an embedding is not finite.
        """
        rounded = tokens.to(self._dtype)
        longest = (torch.linalg.vector_norm(vectors, dim=1).max() for vectors in (tokens, tokens - rounded.float()))
        norm, residual = (float(value) for value in longest)
        if not np.isfinite(norm):
            raise CacheError(NOT_FINITE)
        norm += residual  # of the rounded ones, too
        off = self._residual * norm + self._norm * residual + self._additions * self._norm * norm  # (topics,)
        similarity = room[: len(tokens) * self.tokens].view(len(tokens), self.tokens)
        torch.mm(rounded, self._multiplied, out=similarity)
        reduce = _reduce_compiled if self._device.type == "cpu" else reduce_by_torch
        sums, magnitudes = reduce(similarity, offsets, self._starts)
        off = HALF_STEP[self._dtype] * magnitudes + off
        return Bounds((sums + off).astype(np.float32), (sums - off).astype(np.float32))


def _reduce_compiled(similarity: torch.Tensor, offsets: Int64, starts: Int64) -> tuple[Float32, Float32]:
    """Sums of the maxima, and of their magnitudes, (documents, topics) each, by compiled code."""
    shape = len(offsets) - 1, len(starts) - 1
    sums, magnitudes = (np.empty(shape, dtype=np.float32) for _ in range(2))
    bits = torch.int16 if similarity.dtype == torch.bfloat16 else torch.int32
    sum_of_maxima(similarity.view(bits).numpy(), offsets, starts, sums, magnitudes)
    return sums, magnitudes


def reduce_by_torch(similarity: torch.Tensor, offsets: Int64, starts: Int64) -> tuple[Float32, Float32]:
    """The same on any torch device."""
    best = _segments(similarity.float(), "max", offsets).T  # (tokens of all topics, documents)
    sums, magnitudes = (_segments(values, "sum", starts).T.cpu().numpy() for values in (best, best.abs()))
    return sums, magnitudes


def _segments(values: torch.Tensor, reduce: str, offsets: Int64) -> torch.Tensor:
    """(rows, columns) to (segments, columns)."""
    lengths = torch.from_numpy(np.diff(offsets)).to(values.device)
    reduced: Any = torch.segment_reduce(values.contiguous(), reduce, lengths=lengths, axis=0)
    return torch.as_tensor(reduced)
