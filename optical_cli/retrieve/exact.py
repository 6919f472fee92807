"""The exact best documents of a topic, of candidates whose scores are known to lie below bounds."""

from functools import cache

import numpy as np

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.retrieve.maxima_numba import Float32, Int64, exact_scores

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
    tokens = np.asarray(documents.tokens).view(np.uint16)
    tokens.flags.writeable = False  # as those of a file are: the compiled code is for one kind of array
    exact_scores(query, tokens, documents.offsets, numbers, _half_values(), scores)
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


@cache
def _half_values() -> Float32:
    """(65536,) the value of every float16 by its bits."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
