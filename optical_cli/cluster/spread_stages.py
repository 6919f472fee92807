"""The stages that workers share: shards of an index to encode, and exact MaxSim over parts of it."""

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
from optical_cli.encoder.encode import chunks, encode_texts, open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import CacheError, DataError
from optical_cli.index.build import Pooled, pooled
from optical_cli.processes import Workers
from optical_cli.progress import Advance
from optical_cli.retrieve.maxsim import MaxSim

PARTS = 2
"""Parts a worker, so that none waits long for the last: each scores some documents of its own exactly."""
FEWEST_DOCUMENTS = 512
"""Of a part, for the same reason."""

Found = tuple[Int64, Float32]
"""Numbers and scores of documents."""


@dataclass(frozen=True)
class SameEncoder:
    """An encoder in a folder that all nodes see, by the fingerprint that its files have here."""

    folder: Path
    fingerprint: str
    setup: EncoderSetup


def spread_encoding(
    workers: Workers, encoder: Path, texts: Iterable[str], pool_factor: float, setup: EncoderSetup
) -> Iterator[Pooled]:
    """Encode a stream of documents by workers: the chunks, and so the bits, of one process.

    All nodes see the folder of the encoder. About one token of `pool_factor` is kept; 1 keeps all.

    Raises:
        DataError: a document has no token to score, or a node has another encoder, or none, in the folder.
    """
    here = replace(setup, device=device_of_worker(setup.device))
    work = partial(_encode, SameEncoder(encoder, _fingerprint(encoder), here), pool_factor)
    for tokens, lengths, encoded in workers.in_turn(work, chunks(texts, setup.batch_size)):
        yield Pooled(np.split(tokens, np.cumsum(lengths)[:-1]), encoded)


def _encode(encoder: SameEncoder, pool_factor: float, chunk: list[str]) -> tuple[Float32, Int64, int]:
    """What is kept of a chunk (tokens, dimensions), in one piece, of each document (documents,), and what there was."""
    encoded = encode_texts(_opened_encoder(encoder), chunk, "document", encoder.setup.batch_size)
    found = pooled(encoded, pool_factor)
    return np.concatenate(found.documents), np.array([len(tokens) for tokens in found.documents]), found.encoded


@lru_cache(maxsize=1)
def _opened_encoder(encoder: SameEncoder) -> MultiVectorEncoder:
    if _fingerprint(encoder.folder) != encoder.fingerprint:
        raise DataError(_differs(encoder.folder, "there is another encoder in it, or none"))
    return open_encoder(encoder.folder, encoder.setup)


def _fingerprint(encoder: Path) -> str:
    """That of its files, each of which is read: what is remembered of them may be another node's."""
    return Model(str(encoder), encoder).fingerprint(Fingerprints(Path(os.devnull)))


def _differs(folder: Path, found: str) -> str:
    return (
        f"{folder}: on {platform.node()} {found}; every node needs to see the same folders: those of the cache, and "
        "of models that the experiment names"
    )


@dataclass(frozen=True)
class Search:
    """What all parts of a search share: an index folder that all nodes see, how many documents it has, and settings."""

    index: Path
    documents: int
    depth: int
    memory: int
    precision: Resolved
    device: str


class SpreadMaxSim:
    """The search of an index, which all nodes see, by workers; what is found is that of `MaxSim`.

    A document's score follows from its own tokens and the topic's alone, so it is the same in any part.

    Args:
        memory: bytes that blocks and bounds of a worker may take, the index's own pages left out.
        precision: of the matrix products; the scores are float32 in either.
        device: of this process; workers use the same kind.
    """

    def __init__(
        self, workers: Workers, index: Path, documents: TokenStore,
        *, memory: int, precision: Resolved, device: str,
    ) -> None:  # fmt: skip
        self._workers = workers
        self._documents = documents
        self._search = Search(index, len(documents), 0, memory, precision, device_of_worker(device))

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """For each topic numbers and scores of its best documents, in no order, with all that tie with the last.

        Args:
            queries: each (tokens, dimensions) float32.
            depth: documents wanted for a topic.
            advance: called with the documents of each part, times the topics.
        """
        search = replace(self._search, depth=depth)
        lengths = np.array([len(query) for query in queries])
        parts = parts_of(self._documents.offsets, PARTS * max(self._workers.count, 1))
        work = partial(_search, search, torch.cat(list(queries)).numpy(), lengths)
        found: list[list[Found]] = []
        for part, of_part in zip(parts, self._workers.in_turn(work, parts), strict=True):
            found.append(of_part)
            advance((part[1] - part[0]) * len(queries))
        return (merged(of_topic, depth) for of_topic in zip(*found, strict=True))


def parts_of(offsets: Int64, count: int) -> list[tuple[int, int]]:
    """Half-open ranges of documents with about as many tokens each; fewer than `count` if they would be small.

    `offsets` (documents + 1,) are where the tokens of each document begin.
    """
    documents = len(offsets) - 1
    count = max(1, min(count, documents // FEWEST_DOCUMENTS))
    wanted = offsets[0] + (offsets[-1] - offsets[0]) * np.arange(1, count) // count
    ends = [0, *(int(end) for end in np.searchsorted(offsets, wanted)), documents]
    return [(first, last) for first, last in pairwise(ends) if first < last]


def merged(parts: Sequence[Found], depth: int) -> Found:
    """The best of what was found in several parts: the `depth` best of all, and those that the last may tie with.

    Each part has its own, and the last of all is not below the last of any, so none is missing.
    """
    numbers, scores = (np.concatenate(values) for values in zip(*parts, strict=True))
    if len(scores) <= depth:
        return numbers, scores
    stay = scores >= float(np.partition(scores, -depth)[-depth]) - TIE
    return numbers[stay], scores[stay]


def _search(search: Search, tokens: Float32, lengths: Int64, part: tuple[int, int]) -> list[Found]:
    """The best of a part for each topic; topics as their tokens (tokens of all topics, dimensions), and lengths."""
    store, (first, last) = _opened_index(search), part
    maxsim = MaxSim(store.part(first, last), memory=search.memory, precision=search.precision, device=search.device)
    stacked = torch.from_numpy(np.array(tokens))  # a copy: torch wants to be able to write
    queries = torch.split(stacked, lengths.tolist())
    return [(numbers + first, scores) for numbers, scores in maxsim.best(queries, search.depth, lambda _done: None)]


@lru_cache(maxsize=1)
def _opened_index(search: Search) -> TokenStore:
    try:
        store = TokenStore.open(search.index)
    except (OSError, ValueError) as error:
        raise CacheError(_differs(search.index, f"the index cannot be opened ({error})")) from error
    if len(store) != search.documents:
        raise CacheError(_differs(search.index, f"it has {len(store)} documents, {search.documents} expected"))
    return store
