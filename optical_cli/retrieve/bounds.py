"""Upper and lower bounds of MaxSim, for a block of documents and many topics at once.

MaxSim of a block is one matrix product of its document tokens with all topic tokens, the maximum over each document's
tokens, and the sum over each topic's tokens (Khattab and Zaharia 2020, arXiv 2004.12832). The product may be computed
in bfloat16. Each score gets an error bound: token rounding plus float32 accumulation. With q' for the rounded q,
|<q', d'> - <q, d>| <= |q' - q| |d'| + |q| |d' - d| (Cauchy-Schwarz), and the error of a maximum is at most the largest
error of its arguments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import torch

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import Float32, Int64
from optical_cli.encoder.precision import Resolved
from optical_cli.errors import CacheError
from optical_cli.retrieve.workload import TILE, ranges

UNIT = 2.0**-24
"""Largest relative error of a float32 operation."""
HALF_STEP = {torch.float32: 0.0, torch.bfloat16: 2.0**-8}
"""Largest relative error of rounding a product to the dtype that it is returned in."""
ADDITIONS = 4
"""Factor of the accumulation error: the product and the exact score each sum over dimensions and tokens; doubled for
matrix units that truncate instead of rounding."""
SPARE = 8
"""Contenders of a topic, as a multiple of the depth, above which those that cannot be among the best are dropped."""
NOT_FINITE = "the index has an embedding that is not finite; run `optical cache verify` to find the damaged folder"


@dataclass(frozen=True)
class Bounds:
    """Bounds of exact scores, (documents, topics) each."""

    upper: Float32
    lower: Float32


class Tile(NamedTuple):
    """Topics whose products are computed together."""

    topics: slice
    columns: torch.Tensor  # (dimensions, tokens of these topics)
    starts: Int64  # (topics + 1,), columns where topics begin and end


class Topics:
    """The tokens of topics, (tokens, dimensions) float32 each, prepared for products with document tokens."""

    def __init__(self, queries: Sequence[torch.Tensor], precision: Resolved, device: str) -> None:
        self._device = torch.device(device)
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        lengths = [len(query) for query in queries]
        self._starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        stacked = torch.cat(list(queries))
        rounded = stacked.to(self._dtype)
        columns = rounded.to(self._device).T  # (dimensions, tokens of all topics)
        widest = TILE if self._device.type == "cpu" else len(stacked)
        self._tiles = [self._tile(columns, *topics) for topics in ranges(lengths, widest)]
        self.columns = max(tile.columns.shape[1] for tile in self._tiles)  # of the widest tile
        self._norm = self._of_topics(stacked)
        self._residual = self._of_topics(stacked - rounded.float())
        self._additions = ADDITIONS * UNIT * (stacked.shape[1] + np.array(lengths))  # (topics,)
        if self._device.type == "cuda":  # the bounds assume float32 products and accumulation
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False

    def _tile(self, columns: torch.Tensor, first: int, last: int) -> "Tile":
        starts = self._starts[first : last + 1]
        return Tile(slice(first, last), columns[:, starts[0] : starts[-1]], starts - starts[0])

    def _of_topics(self, vectors: torch.Tensor) -> npt.NDArray[np.float64]:
        """Sum the norms of the vectors of each topic, (topics,)."""
        return np.add.reduceat(torch.linalg.vector_norm(vectors.double(), dim=1).numpy(), self._starts[:-1])

    def room(self, tokens: int) -> torch.Tensor:
        """Allocate memory for the products of this many document tokens, to reuse: new memory pages are slow."""
        return torch.empty(tokens * self.columns, dtype=self._dtype, device=self._device)

    def bounds(self, tokens: torch.Tensor, offsets: Int64, room: torch.Tensor) -> Bounds:
        """Compute the bounds of some documents.

        Args:
            tokens: (tokens, dimensions) float32 on the device.
            offsets: (documents + 1,); document i has the rows offsets[i] to offsets[i + 1] - 1.
            room: memory from `room` for at least this many tokens, which is overwritten.

        Raises:
            CacheError: an embedding is not finite.
        """
        rounded = tokens.to(self._dtype)
        longest = (torch.linalg.vector_norm(vectors, dim=1).max() for vectors in (tokens, tokens - rounded.float()))
        norm, residual = (float(value) for value in longest)
        if not np.isfinite(norm):
            raise CacheError(NOT_FINITE)
        norm += residual  # bounds the norm of the rounded tokens too
        off = self._residual * norm + self._norm * residual + self._additions * self._norm * norm  # (topics,)
        reduce = reduce_compiled if self._device.type == "cpu" else reduce_by_torch
        sums, magnitudes = np.empty((2, len(offsets) - 1, len(off)), dtype=np.float32)
        for tile in self._tiles:
            similarity = room[: len(tokens) * tile.columns.shape[1]].view(len(tokens), -1)
            torch.mm(rounded, tile.columns, out=similarity)  # (tokens, d) @ (d, tokens of the topics)
            sums[:, tile.topics], magnitudes[:, tile.topics] = reduce(similarity, offsets, tile.starts)
        off = HALF_STEP[self._dtype] * magnitudes + off
        return Bounds((sums + off).astype(np.float32), (sums - off).astype(np.float32))


def reduce_compiled(similarity: torch.Tensor, offsets: Int64, starts: Int64) -> tuple[Float32, Float32]:
    """Compute the sums of the maxima and of their magnitudes, (documents, topics) each, on the CPU."""
    shape = len(offsets) - 1, len(starts) - 1
    sums, magnitudes = (np.empty(shape, dtype=np.float32) for _ in range(2))
    bits = torch.int16 if similarity.dtype == torch.bfloat16 else torch.int32
    sum_of_maxima(similarity.view(bits).numpy(), offsets, starts, sums, magnitudes)
    return sums, magnitudes


def reduce_by_torch(similarity: torch.Tensor, offsets: Int64, starts: Int64) -> tuple[Float32, Float32]:
    """Compute the sums of the maxima and of their magnitudes, (documents, topics) each, on any torch device."""
    best = _segments(similarity.float(), "max", offsets).T  # (tokens of all topics, documents)
    sums, magnitudes = (_segments(values, "sum", starts).T.cpu().numpy() for values in (best, best.abs()))
    return sums, magnitudes


def _segments(values: torch.Tensor, reduce: str, offsets: Int64) -> torch.Tensor:
    """Reduce segments of rows: (rows, columns) to (segments, columns)."""
    lengths = torch.from_numpy(np.diff(offsets)).to(values.device)
    reduced: Any = torch.segment_reduce(values.contiguous(), reduce, lengths=lengths, axis=0)
    return torch.as_tensor(reduced)


@numba.njit(nogil=True, cache=True)
def sum_of_maxima(similarity: Any, offsets: Int64, starts: Int64, sums: Float32, magnitudes: Float32) -> None:
    """Sum the maxima over a document's tokens of the similarities of a topic's tokens, for each document and topic.

    Floats are compared as integers, because the processor compares twice as many 16-bit integers at once as 32-bit
    numbers. The order is the same, but reversed among negative numbers: where all are negative, the smallest integer is
    the maximum. Whole rows are compared, because numba widens a single 16-bit integer to 64 bits.

    Args:
        similarity: (document tokens, topic tokens), the bits of float32 as int32 or of bfloat16 as int16.
        offsets: (documents + 1,), rows where documents begin and end; each document has at least one row.
        starts: (topics + 1,), columns where topics begin and end.
        sums: (documents, topics), filled with the sums of the maxima.
        magnitudes: (documents, topics), filled with the sums of their absolute values.
    """
    columns = similarity.shape[1]
    shift = 32 - 8 * similarity.itemsize
    best = np.empty(columns, dtype=similarity.dtype)
    bits = np.empty(columns, dtype=np.int32)
    values = bits.view(np.float32)
    for document in range(len(offsets) - 1):
        first, last = offsets[document], offsets[document + 1]
        best[:] = similarity[first]
        for row in range(first + 1, last):
            np.maximum(best, similarity[row], best)
        signs = 0
        for column in range(columns):
            bits[column] = np.int32(best[column]) << shift
            signs |= bits[column]
        if signs < 0:
            best[:] = similarity[first]
            for row in range(first + 1, last):
                np.minimum(best, similarity[row], best)
            for column in range(columns):
                if bits[column] < 0:
                    bits[column] = np.int32(best[column]) << shift
        for topic in range(len(starts) - 1):
            total, magnitude = np.float32(0), np.float32(0)
            for column in range(starts[topic], starts[topic + 1]):
                total += values[column]
                magnitude += abs(values[column])
            sums[document, topic] = total
            magnitudes[document, topic] = magnitude


class Contenders:
    """Collects bounds, and keeps for each topic the documents that may still be among the `depth` best."""

    def __init__(self, topics: int, depth: int) -> None:
        self._depth = depth
        self._floor = np.full(topics, -np.inf, dtype=np.float32)
        self._held: list[tuple[Int64, Int64, Float32, Float32]] = []  # topics, documents, upper and lower bounds
        self._count = 0
        self._limit = SPARE * depth * topics

    def add(self, first: int, bounds: Bounds) -> None:
        """Add the bounds of the documents from number `first` on."""
        documents, topics = np.nonzero(bounds.upper >= self._floor)
        self._held.append((topics, documents + first, bounds.upper[documents, topics], bounds.lower[documents, topics]))
        self._count += len(topics)
        if self._count > self._limit:
            self._drop()
            self._limit = max(self._limit, 2 * self._count)

    def of_topics(self) -> list[tuple[Int64, Float32]]:
        """Return the numbers and upper bounds of each topic's contenders, in descending order of the upper bound."""
        self._drop()
        topics, documents, upper, _ = self._held[0]
        order = np.lexsort((documents, -upper, topics))
        ends = np.searchsorted(topics[order], np.arange(1, len(self._floor)))
        return list(zip(np.split(documents[order], ends), np.split(upper[order], ends), strict=True))

    def _drop(self) -> None:
        """Raise each topic's floor to the `depth`-th lower bound, and drop documents whose upper bound is below."""
        topics, documents, upper, lower = (np.concatenate(parts) for parts in zip(*self._held, strict=True))
        order = np.lexsort((-lower, topics))
        begins = np.searchsorted(topics[order], np.arange(len(self._floor) + 1))
        full = np.diff(begins) >= self._depth
        reached = lower[order[begins[:-1][full] + self._depth - 1]]
        self._floor[full] = np.maximum(self._floor[full], reached - np.float32(TIE))
        stay: npt.NDArray[np.bool_] = upper >= self._floor[topics]
        self._held = [(topics[stay], documents[stay], upper[stay], lower[stay])]
        self._count = int(stay.sum())
