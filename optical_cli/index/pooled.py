"""A shard as an index keeps it: documents that are encoded, their tokens pooled."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from optical_cli.artifacts.token_format import Float32
from optical_cli.encoder.token_pooling import pool_tokens


@dataclass(frozen=True)
class Pooled:
    """Documents of a shard.

    Attributes:
        documents: each (tokens, dimensions), rows of unit length.
        encoded: the tokens of all of them before any were pooled.
    """

    documents: Sequence[Float32]
    encoded: int


def pooled(documents: Sequence[torch.Tensor], factor: float) -> Pooled:
    """Keep about one token of `factor` of each document, (tokens, dimensions) float32."""
    kept = [tokens.numpy() for tokens in pool_tokens(documents, factor)]
    return Pooled(kept, sum(map(len, documents)))
