"""Texts as long as passages, made of sentences."""

import math
from collections.abc import Sequence
from random import Random

from bench.search.world import LENGTH, SPREAD

TOKENS_OF_A_WORD = 1.6
"""Approximate tokens per word of Hindi in the tokenizer of multilingual-e5."""


def passages(sentences: Sequence[str], count: int, draw: Random) -> list[str]:
    """Make passages of whole words, with the distribution of lengths of MIRACL Yoruba."""
    words = " ".join(sentences).split()
    tokens = (math.exp(draw.gauss(math.log(LENGTH), SPREAD)) for _ in range(count))
    return [_passage(words, round(length / TOKENS_OF_A_WORD), draw) for length in tokens]


def _passage(words: Sequence[str], length: int, draw: Random) -> str:
    first = draw.randrange(len(words))
    return " ".join(words[(first + place) % len(words)] for place in range(max(length, 1)))
