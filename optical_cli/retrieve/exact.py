"""Exact MaxSim scores: the same bits whatever else is scored, and on every machine."""

import numba
import numpy as np

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore

TOGETHER = 16
"""Documents that are scored at a time: their tokens as float32 stay in the processor's cache."""
FEW = 8
"""How many times fewer are scored at a time than are wanted: one call too many costs less than so many documents."""


def score(query: Float32, documents: TokenStore, numbers: Int64) -> Float32:
    """(numbers,) the scores of some documents for a topic, (tokens, dimensions)."""
    scores = np.empty(len(numbers), dtype=np.float32)
    for first in range(0, len(numbers), TOGETHER):
        tokens, offsets = documents.texts(numbers[first : first + TOGETHER])
        exact_scores(query, tokens, offsets, scores[first : first + TOGETHER])
    return scores


def best(query: Float32, documents: TokenStore, contenders: tuple[Int64, Float32], depth: int) -> tuple[Int64, Float32]:
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
