"""Texts as long as passages, out of sentences."""

import math
from collections.abc import Sequence
from random import Random

from bench.search.world import LENGTH, SPREAD

TOKENS_OF_A_WORD = 1.6
"""About what multilingual-e5's tokenizer makes of a word of Hindi."""


def passages(sentences: Sequence[str], count: int, draw: Random) -> list[str]:
    """Passages of whole words, their lengths spread as those of MIRACL Yoruba are."""
    words = " ".join(sentences).split()
    return [_passage(words, round(math.exp(draw.gauss(math.log(LENGTH), SPREAD)) / TOKENS_OF_A_WORD), draw)
            for _ in range(count)]  # fmt: skip


def _passage(words: Sequence[str], length: int, draw: Random) -> str:
    first = draw.randrange(len(words))
    return " ".join(words[(first + place) % len(words)] for place in range(max(length, 1)))
