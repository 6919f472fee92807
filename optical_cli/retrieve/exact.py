"""The exact best documents of a topic, of candidates whose scores are known to lie below bounds."""

import numpy as np

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.retrieve.maxima_numba import Float32, Int64, exact_scores

TOGETHER = 16
"""Documents that are scored at a time: their tokens as float32 stay in the processor's cache."""
FEW = 8
"""How many times fewer are scored at a time than are wanted: one call too many costs less than so many documents."""


def score(query: Float32, documents: TokenStore, numbers: Int64) -> Float32:
    """The MaxSim of some documents, (documents,): the same bits whatever else is scored, and on every machine.

    Args:
        query: (tokens, dimensions).
        documents: the tokens of all documents.
        numbers: (documents,) those to be scored.
    """
    scores = np.empty(len(numbers), dtype=np.float32)
    for first in range(0, len(numbers), TOGETHER):
        tokens, offsets = documents.texts(numbers[first : first + TOGETHER])
        exact_scores(query, tokens, offsets, scores[first : first + TOGETHER])
    return scores


def best(query: Float32, documents: TokenStore, candidates: tuple[Int64, Float32], depth: int) -> tuple[Int64, Float32]:
    """Numbers and exact scores of the `depth` best candidates, and of those that the last of them may tie with.

    The most promising are scored first, and then a few at a time, until none of the others can reach what the last of
    the best has.

    Args:
        query: (tokens, dimensions).
        documents: the tokens of all documents.
        candidates: numbers and upper bounds, the most promising first.
        depth: how many are wanted.
    """
    numbers, upper = candidates
    scores = score(query, documents, numbers[:depth])
    while len(scores) < len(numbers) and upper[len(scores)] >= _last(scores, depth) - TIE:
        more = numbers[len(scores) : len(scores) + max(depth // FEW, 1)]
        scores = np.concatenate([scores, score(query, documents, more)])
    last = _last(scores, depth)
    stay = scores >= last - TIE
    return numbers[: len(scores)][stay], scores[stay]


def _last(scores: Float32, depth: int) -> float:
    """What the last of the best has; -inf if there are not as many."""
    return float(np.partition(scores, -depth)[-depth]) if len(scores) >= depth else -np.inf
