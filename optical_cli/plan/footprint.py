"""Bytes that an index of so many tokens takes, on the disk and in memory."""

import numpy as np

from optical_cli.artifacts.token_store import DEFAULT, FORMATS, Int64
from optical_cli.config.experiment import Storage
from optical_cli.encoder.setup import CHUNK_BATCHES

PROGRAM = 700 << 20
"""Memory of Python with torch and the compiled code, before anything is loaded."""
BYTES_OF_AN_ID = 16
"""Of a document, in the list of ids."""


def pooled_lengths(lengths: Int64, factor: float) -> Int64:
    """Tokens that pooling by a factor leaves of documents of some tokens: the first one, and a part of the others."""
    others = lengths - 1
    return lengths - others + np.where(others > 0, np.maximum(others // factor, 1), 0).astype(np.int64)


def index_bytes(documents: int, tokens: int, dimensions: int, storage: Storage = DEFAULT) -> int:
    """An index on the disk: tokens, where documents begin, ids."""
    return tokens * FORMATS[storage].row(dimensions).itemsize + documents * (8 + BYTES_OF_AN_ID)


def memory_to_index(weights: int, batch_size: int, longest: int, dimensions: int) -> int:
    """Making an index: the model, and a shard of documents, as the encoder gives them and at unit length.

    As if all of them were the longest: documents that are alike stand together, and a shard of MIRACL Yoruba has 2.6
    times the tokens of the mean one.
    """
    return PROGRAM + weights + CHUNK_BATCHES * batch_size * longest * dimensions * (4 + 4)


def memory_to_search(weights: int, blocks: int, structure: int) -> int:
    """Searching: the model of the topics, what `retrieval.memory` allows, the engine's structure if it has one."""
    return PROGRAM + weights + blocks + structure
