"""Stages that are spread over workers: encoding the documents of an index, and exact MaxSim over its parts."""

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.artifacts.run import TIE
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.models import Model
from optical_cli.encoder.device import device_of_worker
from optical_cli.encoder.encode import chunks, encode_texts
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import CacheError, DataError
from optical_cli.index.build import Pooled, pooled
from optical_cli.processes import Workers
from optical_cli.progress import Advance
from optical_cli.retrieve.maxsim import MaxSim

PARTS_PER_WORKER = 2
"""More parts balance the load of workers better, but each part rescores documents of its own exactly."""
MIN_DOCUMENTS = 512
"""Smallest part in documents, because each part rescores documents of its own exactly."""

Found = tuple[Int64, Float32]
"""Numbers and scores of documents, two arrays of equal length."""


@dataclass(frozen=True)
class SharedEncoder:
    """An encoder in a folder that all nodes share, with its fingerprint on this machine."""

    folder: Path
    fingerprint: str
    setup: EncoderSetup


def spread_encoding(
    workers: Workers, encoder: Path, texts: Iterable[str], pool_factor: float, setup: EncoderSetup
) -> Iterator[Pooled]:
    """Encode a stream of documents by workers, in the same chunks as one process, so that all bits are equal.

    Args:
        encoder: folder that all nodes share.
        pool_factor: see `pool_tokens`; 1 keeps all tokens.

    Raises:
        DataError: a document has no token to score, or the folder of the encoder differs on a node.
    """
    here = replace(setup, device=device_of_worker(setup.device))
    work = partial(_encode, SharedEncoder(encoder, _fingerprint(encoder), here), pool_factor)
    for tokens, lengths, encoded in workers.in_turn(work, chunks(texts, setup.batch_size)):
        yield Pooled(np.split(tokens, np.cumsum(lengths)[:-1]), encoded)


def _encode(encoder: SharedEncoder, pool_factor: float, chunk: list[str]) -> tuple[Float32, Int64, int]:
    """Encode a chunk of documents in a worker.

    Returns:
        the embeddings of all documents, (tokens, dimensions), the number of tokens of each document, (documents,), and
        the number of tokens before pooling.
    """
    encoded = encode_texts(_opened_encoder(encoder), chunk, "document", encoder.setup.batch_size)
    found = pooled(encoded, pool_factor)
    return np.concatenate(found.documents), np.array([len(tokens) for tokens in found.documents]), found.encoded


@lru_cache(maxsize=1)
def _opened_encoder(encoder: SharedEncoder) -> MultiVectorEncoder:
    if _fingerprint(encoder.folder) != encoder.fingerprint:
        raise DataError(_differs(encoder.folder, "it has another encoder, or none"))
    return open_encoder(encoder.folder, encoder.setup)


def _fingerprint(encoder: Path) -> str:
    """Return the fingerprint of an encoder by reading all files: remembered fingerprints may be of another node."""
    return Model(str(encoder), encoder).fingerprint(Fingerprints(Path(os.devnull)))


def _differs(folder: Path, found: str) -> str:
    return (
        f"{folder}: on {platform.node()}, {found}; all nodes must share the cache folder and the folders of models "
        "that the experiment names"
    )


@dataclass(frozen=True)
class Search:
    """What all parts of a search have in common: the index and the settings."""

    index: Path  # folder that all nodes share
    documents: int  # number of documents in the index
    depth: int
    memory: int
    precision: Resolved
    device: str


class SpreadMaxSim:
    """Exact search of an index by workers, with the results of `MaxSim`.

    The score of a document depends only on its tokens and on those of the topic, so it is equal in every part.

    Args:
        index: folder that all nodes share.
        memory: memory limit of a worker in bytes; the memory-mapped index does not count.
        precision: number format of the matrix products; scores are float32.
        device: device of this process; workers use the same kind.
    """

    def __init__(
        self,
        workers: Workers,
        index: Path,
        documents: TokenStore,
        *,
        memory: int,
        precision: Resolved,
        device: str,
    ) -> None:
        self._workers = workers
        self._documents = documents
        self._search = Search(index, len(documents), 0, memory, precision, device_of_worker(device))

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """Find the best documents of each topic, in any order, including all that tie with the last one.

        Args:
            queries: token embeddings of each topic, (tokens, dimensions) float32.
            depth: number of documents for each topic.
            advance: called after each part with its number of documents times the number of topics.
        """
        search = replace(self._search, depth=depth)
        lengths = np.array([len(query) for query in queries])
        parts = parts_of(self._documents.offsets, PARTS_PER_WORKER * max(self._workers.count, 1))
        work = partial(_search, search, torch.cat(list(queries)).numpy(), lengths)
        found: list[list[Found]] = []
        for part, of_part in zip(parts, self._workers.in_turn(work, parts), strict=True):
            found.append(of_part)
            advance((part[1] - part[0]) * len(queries))
        return (merged(of_topic, depth) for of_topic in zip(*found, strict=True))


def parts_of(offsets: Int64, count: int) -> list[tuple[int, int]]:
    """Split documents into at most `count` ranges, (first, end), with about equal numbers of tokens.

    Args:
        offsets: the first token of each document, and the number of tokens, (documents + 1,).
    """
    documents = len(offsets) - 1
    count = max(1, min(count, documents // MIN_DOCUMENTS))
    wanted = offsets[0] + (offsets[-1] - offsets[0]) * np.arange(1, count) // count
    ends = [0, *(int(end) for end in np.searchsorted(offsets, wanted)), documents]
    return [(first, last) for first, last in pairwise(ends) if first < last]


def merged(parts: Sequence[Found], depth: int) -> Found:
    """Merge the results of several parts: the `depth` best documents, and all that may tie with the last one.

    Nothing is missing, because the last score of the merged results is not below that of any part.
    """
    numbers, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
    if len(scores) <= depth:
        return numbers, scores
    stay = scores >= float(np.partition(scores, -depth)[-depth]) - TIE
    return numbers[stay], scores[stay]


def _search(search: Search, tokens: Float32, lengths: Int64, part: tuple[int, int]) -> list[Found]:
    """Search a part for all topics in a worker.

    Args:
        tokens: token embeddings of all topics, (tokens, dimensions).
        lengths: number of tokens of each topic, (topics,).
        part: first and end of the range of documents.
    """
    store, (first, last) = _opened_index(search), part
    maxsim = MaxSim(store.part(first, last), memory=search.memory, precision=search.precision, device=search.device)
    stacked = torch.from_numpy(np.array(tokens))  # a copy, because torch needs writable memory
    queries = torch.split(stacked, lengths.tolist())
    return [(numbers + first, scores) for numbers, scores in maxsim.best(queries, search.depth, lambda _done: None)]


@lru_cache(maxsize=1)
def _opened_index(search: Search) -> TokenStore:
    try:
        store = TokenStore.open(search.index)
    except (OSError, ValueError) as error:
        raise CacheError(_differs(search.index, f"the index cannot be opened ({error})")) from error
    if len(store) != search.documents:
        raise CacheError(_differs(search.index, f"expected {search.documents} documents, found {len(store)}"))
    return store
