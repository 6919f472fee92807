"""Synthetic documents and topics that are about as hard to search as real ones.

Tokens of random directions would have no neighbours, which is unfair to methods that group tokens. Here the tokens of a
text share a context besides their meanings, and common meanings recur in all texts. Each topic is about one document.
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
"""Tokens of a passage: median, standard deviation of the logarithm, minimum and maximum. Measured with the tokenizer of
multilingual-e5 on every fifth of the 49,043 passages of MIRACL Yoruba (title and text; mean 68 when cut at 256)."""
A_TIME = 1000
"""Documents that are made at a time."""


class Meanings:
    """A vocabulary of meanings, which are directions that tokens are near to; some meanings are common."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(SEED)
        self._vocabulary = self.directions(MEANINGS)

    def directions(self, count: int) -> Tensor:
        """Draw directions (count, DIMENSIONS) of length 1."""
        return normalize(torch.randn(count, DIMENSIONS, generator=self.generator), dim=-1)

    def draw(self, count: int) -> Tensor:
        """Draw meanings (count,), a share of them common."""
        rare = torch.randint(MEANINGS, (count,), generator=self.generator)
        return torch.where(torch.rand(count, generator=self.generator) < COMMON_SHARE, rare % COMMON, rare)

    def tokens(self, meanings: Tensor, context: Tensor) -> Tensor:
        """Make tokens (count, DIMENSIONS) of meanings (count,) in contexts (count, DIMENSIONS)."""
        noise = MIXED.noise * self.directions(len(meanings))
        return normalize(MIXED.shared * context + self._vocabulary[meanings] + noise, dim=-1)

    def topics(self, meanings: Tensor, places: Tensor, context: Tensor) -> Tensor:
        """Make tokens of topics, with the meanings of document tokens at `places`, but for a share UNTRANSLATED."""
        untranslated = torch.rand(len(places), generator=self.generator) < UNTRANSLATED
        return self.tokens(torch.where(untranslated, self.draw(len(places)), meanings[places]), context)


def write_world(folder: Path, documents: int, topics: int, topic_tokens: int) -> tuple[TokenStore, list[Tensor]]:
    """Write the tokens of a collection with lengths of real passages, part by part, and make topics.

    Args:
        folder: folder of the token store.
        documents: number of documents.
        topics: number of topics, each about another document.
        topic_tokens: tokens of each topic.
    """
    world, queries = Meanings(), []
    lengths = torch.exp(math.log(LENGTH) + SPREAD * torch.randn(documents, generator=world.generator))
    offsets = np.concatenate([[0], np.cumsum(lengths.long().clamp(SHORTEST, LONGEST).numpy())])
    wanted = set(torch.randperm(documents, generator=world.generator)[:topics].tolist())
    with TokenStoreWriter(folder) as writer:
        for first in range(0, documents, A_TIME):
            starts = offsets[first : first + A_TIME + 1] - offsets[first]
            context, meanings = world.directions(len(starts) - 1), world.draw(int(starts[-1]))
            owner = torch.arange(len(context)).repeat_interleave(torch.from_numpy(np.diff(starts)))
            tokens = world.tokens(meanings, context[owner])
            writer.append(np.split(tokens.numpy().astype(np.float16), starts[1:-1]))
            for number in sorted(wanted & set(range(first, first + A_TIME))):
                begin, end = starts[number - first : number - first + 2]
                places = torch.randint(int(begin), int(end), (topic_tokens,), generator=world.generator)
                queries.append(world.topics(meanings, places, context[number - first].expand(topic_tokens, -1)))
    return TokenStore.open(folder), queries
