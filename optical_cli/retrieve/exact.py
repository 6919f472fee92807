"""The exact best documents of a topic, of candidates whose scores are known to lie below bounds."""

from functools import cache

import numpy as np

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.retrieve.maxima_numba import Float32, Int64, exact_scores


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

    As many as are wanted are scored at a time, the most promising first, until none of the others can reach what the
    last of the best has.

    Args:
        query: (tokens, dimensions).
        documents: the tokens of all documents.
        candidates: numbers and upper bounds, the most promising first.
        depth: how many are wanted.
    """
    numbers, upper = candidates
    scores, last = np.empty(0, dtype=np.float32), -np.inf
    while len(scores) < len(numbers) and upper[len(scores)] >= last - TIE:
        more = numbers[len(scores) : len(scores) + depth]
        scores = np.concatenate([scores, score(query, documents, more)])
        if len(scores) >= depth:
            last = float(np.partition(scores, -depth)[-depth])
    stay = scores >= last - TIE
    return numbers[: len(scores)][stay], scores[stay]


@cache
def _half_values() -> Float32:
    """(65536,) the value of every float16 by its bits."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
