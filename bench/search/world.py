"""Documents whose tokens share meanings, and topics that ask for one of them: an easy world would flatter any search.

Tokens of random directions have no neighbours, which is unfair to whatever groups them; tokens of a text have a context
in common beside what they mean, and common meanings recur in every text.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from bench.problems import COMMON, COMMON_SHARE, DIMENSIONS, MEANINGS, MIXED, SEED, UNTRANSLATED
from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter

LENGTH, SPREAD, SHORTEST, LONGEST = 49, 0.85, 4, 256
"""Tokens of a passage: median and standard deviation of the logarithm, as multilingual-e5's tokenizer cuts every fifth
of the 49,043 passages of MIRACL Yoruba (title and text, mean 68 when cut at 256), and where they are cut off."""
A_TIME = 1000
"""Documents that are made at once."""


class Meanings:
    """Directions that tokens are near to, some of them common."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(SEED)
        self._vocabulary = self.directions(MEANINGS)

    def directions(self, count: int) -> Tensor:
        """(count, DIMENSIONS) of length 1."""
        return normalize(torch.randn(count, DIMENSIONS, generator=self.generator), dim=-1)

    def draw(self, count: int) -> Tensor:
        """(count,) meanings, a share of them common ones."""
        rare = torch.randint(MEANINGS, (count,), generator=self.generator)
        return torch.where(torch.rand(count, generator=self.generator) < COMMON_SHARE, rare % COMMON, rare)

    def tokens(self, meanings: Tensor, context: Tensor) -> Tensor:
        """(count, DIMENSIONS) tokens of some meanings, each (count,) in its own context (count, DIMENSIONS)."""
        own = MIXED.noise * self.directions(len(meanings))
        return normalize(MIXED.shared * context + self._vocabulary[meanings] + own, dim=-1)

    def asked(self, said: Tensor, places: Tensor, context: Tensor) -> Tensor:
        """The tokens of topics: of meanings that were said at some places, but for UNTRANSLATED of them."""
        own = torch.rand(len(places), generator=self.generator) < UNTRANSLATED
        return self.tokens(torch.where(own, self.draw(len(places)), said[places]), context)


def write_world(folder: Path, documents: int, topics: int, topic_tokens: int) -> tuple[TokenStore, list[Tensor]]:
    """A collection in an index folder, its lengths those of real passages, and topics, never all in memory.

    Args:
        folder: receives the token store.
        documents: how many.
        topics: how many, each asks for another document.
        topic_tokens: of each.
    """
    world, queries = Meanings(), []
    lengths = torch.exp(math.log(LENGTH) + SPREAD * torch.randn(documents, generator=world.generator))
    offsets = np.concatenate([[0], np.cumsum(lengths.long().clamp(SHORTEST, LONGEST).numpy())])
    wanted = set(torch.randperm(documents, generator=world.generator)[:topics].tolist())
    with TokenStoreWriter(folder) as writer:
        for first in range(0, documents, A_TIME):
            own = offsets[first : first + A_TIME + 1] - offsets[first]
            context, said = world.directions(len(own) - 1), world.draw(int(own[-1]))
            owner = torch.arange(len(context)).repeat_interleave(torch.from_numpy(np.diff(own)))
            tokens = world.tokens(said, context[owner])
            writer.append(np.split(tokens.numpy().astype(np.float16), own[1:-1]))
            for number in sorted(wanted & set(range(first, first + A_TIME))):
                begin, end = own[number - first : number - first + 2]
                places = torch.randint(int(begin), int(end), (topic_tokens,), generator=world.generator)
                queries.append(world.asked(said, places, context[number - first].expand(topic_tokens, -1)))
    return TokenStore.open(folder), queries
