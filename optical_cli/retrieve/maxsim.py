"""Exact MaxSim over every document, block by block.

A block is one matrix product of its document tokens with all query tokens, the largest value of each document's
segment, and the sum over each query's tokens (Khattab and Zaharia 2020, arXiv 2004.12832).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch

from optical_cli.artifacts.token_store import TokenStore
from optical_cli.progress import Advance

Float32 = npt.NDArray[np.float32]
MOST_BLOCK_TOKENS = 1 << 18


def scores_by_block(
    queries: Sequence[torch.Tensor], documents: TokenStore, memory: int, device: str, advance: Advance
) -> Iterator[tuple[int, Float32]]:
    """Score all documents for all queries, a block of documents at a time.

    Args:
        queries: each (tokens, dimensions) float32.
        documents: their tokens, float16; they are multiplied in float32.
        memory: bytes that a block may take.
        device: a torch device; on a CPU the segments are reduced by a compiled loop.
        advance: hears of the documents of each block.

    Yields:
        the number of the block's first document, and (documents of the block, queries) float32 scores.
    """
    stacked = torch.cat(list(queries)).to(device)  # (query tokens, dimensions)
    starts = np.concatenate([[0], np.cumsum([len(query) for query in queries])])[:-1]
    for first, last in blocks(documents, len(stacked), memory):
        begin, end = documents.offsets[first], documents.offsets[last]
        tokens = torch.from_numpy(documents.tokens[begin:end].astype(np.float32)).to(device)
        similarity = tokens @ stacked.T  # (block tokens, query tokens)
        best = _segment_max(similarity, documents.offsets[first : last + 1] - begin)
        yield first, np.add.reduceat(best, starts, axis=1)
        advance(last - first)


def blocks(documents: TokenStore, query_tokens: int, memory: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges of documents whose block fits the memory; never less than one document."""
    a_token = documents.tokens.shape[1] * 4 + query_tokens * 4
    room = max(1, min(memory // a_token, MOST_BLOCK_TOKENS))
    first = 0
    while first < len(documents):
        last = int(np.searchsorted(documents.offsets, documents.offsets[first] + room, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _segment_max(similarity: torch.Tensor, offsets: npt.NDArray[np.int64]) -> Float32:
    """The largest value of each segment of rows: (rows, columns) to (segments, columns)."""
    if similarity.device.type == "cpu":
        best = np.empty((len(offsets) - 1, similarity.shape[1]), dtype=np.float32)
        _segment_max_loop(similarity.numpy(), offsets, best)
        return best
    return segment_max_torch(similarity, offsets)


def segment_max_torch(similarity: torch.Tensor, offsets: npt.NDArray[np.int64]) -> Float32:
    """The same on any torch device."""
    lengths = torch.from_numpy(np.diff(offsets)).to(similarity.device)
    best: Any = torch.segment_reduce(similarity, "max", lengths=lengths, axis=0)
    return np.asarray(best.cpu().numpy(), dtype=np.float32)


@numba.njit(parallel=True, cache=True)
def _segment_max_loop(similarity: Float32, offsets: npt.NDArray[np.int64], best: Float32) -> None:
    for segment in numba.prange(len(offsets) - 1):
        best[segment] = similarity[offsets[segment]]
        for row in range(offsets[segment] + 1, offsets[segment + 1]):
            for column in range(similarity.shape[1]):
                best[segment, column] = max(best[segment, column], similarity[row, column])
