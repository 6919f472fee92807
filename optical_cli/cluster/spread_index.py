"""Shards of an index that workers encode, each of which opens the encoder once."""

import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from sentence_transformers import MultiVectorEncoder

from optical_cli.artifacts.token_store import Float32, Int64
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.models import Model
from optical_cli.encoder.device import device_of_worker
from optical_cli.encoder.encode import chunks, encode_texts, open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.index.build import Pooled, pooled
from optical_cli.processes import Workers


@dataclass(frozen=True)
class SameEncoder:
    """An encoder as a worker has to find it.

    Attributes:
        folder: where it is, for all nodes.
        fingerprint: of its files.
        setup: how texts are encoded.
    """

    folder: Path
    fingerprint: str
    setup: EncoderSetup


def spread_encoding(
    workers: Workers, encoder: Path, texts: Iterable[str], pool_factor: float, setup: EncoderSetup
) -> Iterator[Pooled]:
    """Encode a stream of documents by workers: the chunks, and so the bits, of `encode_stream`.

    Args:
        workers: that encode and pool.
        encoder: a model folder that all nodes see.
        texts: documents.
        pool_factor: keep about one token of so many; 1 keeps all.
        setup: how they are encoded.

    Raises:
        DataError: a document has no token to score, or a node has another encoder, or none, in the folder.
    """
    here = replace(setup, device=device_of_worker(setup.device))
    work = partial(_encode, SameEncoder(encoder, _fingerprint(encoder), here), pool_factor)
    for tokens, lengths, encoded in workers.in_turn(work, chunks(texts, setup.batch_size)):
        yield Pooled(np.split(tokens, np.cumsum(lengths)[:-1]), encoded)


def _encode(encoder: SameEncoder, pool_factor: float, chunk: list[str]) -> tuple[Float32, Int64, int]:
    """What is kept of a chunk (tokens, dimensions), in one piece, of each document (documents,), and what there was."""
    encoded = encode_texts(_opened(encoder), chunk, "document", encoder.setup.batch_size)
    found = pooled(encoded, pool_factor)
    return np.concatenate(found.documents), np.array([len(tokens) for tokens in found.documents]), found.encoded


@lru_cache(maxsize=1)
def _opened(encoder: SameEncoder) -> MultiVectorEncoder:
    if _fingerprint(encoder.folder) != encoder.fingerprint:
        raise DataError(
            f"{encoder.folder}: on {platform.node()} there is another encoder in it, or none; every node needs to see "
            "the same folders: those of the cache, and of models that the experiment names"
        )
    return open_encoder(encoder.folder, encoder.setup)


def _fingerprint(encoder: Path) -> str:
    """That of its files, each of which is read: what is remembered of them may be another node's."""
    return Model(str(encoder), encoder).fingerprint(Fingerprints(Path(os.devnull)))
