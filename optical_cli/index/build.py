"""Encodes a collection, document by document, into an index folder."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from optical_cli.artifacts.token_store import Float32
from optical_cli.config.experiment import Index
from optical_cli.data.documents import Document, fill
from optical_cli.encoder.device import idle_gpus
from optical_cli.encoder.encode import encode_stream, open_encoder, pool_tokens, pools_tokens
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.index.shards import Shards
from optical_cli.progress import Progress


@dataclass(frozen=True)
class Pooled:
    """A shard as an index keeps it."""

    documents: Sequence[Float32]  # each (tokens, dimensions), rows of unit length
    encoded: int  # tokens of all of them before pooling


EncodeShards = Callable[[Path, Iterator[str], float, EncoderSetup], Iterator[Pooled]]
"""Encodes documents shard by shard, with the bits of `build_index`: encoder folder, texts, pool factor, setup."""


def build_index(
    documents: Iterable[Document],
    encoder: Path,
    folder: Path,
    *,
    unfinished: Path,
    template: str,
    count: int | None,
    kept: Index,
    setup: EncoderSetup,
    progress: Progress,
    encode: EncodeShards | None = None,
) -> dict[str, Any]:
    """Encode documents as they come, with no more than a shard of them in memory.

    Args:
        unfinished: a folder on the same disk that outlives a kill; shards of this index that were finished there are
            used, and the bytes are the same in the end.
        template: what of a document is encoded, with {title} and {text}.
        count: of documents, if known.
        encode: encodes the shards in place of this process.

    Returns:
        counts of documents and tokens, of tokens before pooling, and the bytes of a token, for the manifest.

    Raises:
        DataError: a document has no token to score, or there is no document.
    """
    with Shards(unfinished, kept.storage) as shards:
        indexed = shards.begun
        if indexed:
            progress.say(f"index: goes on behind {indexed} documents that were encoded before it was stopped")
        left = None if count is None else max(count - indexed, 0)
        with progress.task("index", left, "documents") as advance:
            ids: deque[str] = deque()
            texts = _texts(islice(documents, indexed, None), template, ids)
            encode = encode or partial(_encode_here, progress)
            for shard in encode(encoder, texts, kept.pool_factor, setup):
                shards.append([ids.popleft() for _ in shard.documents], shard.documents, shard.encoded)
                indexed += len(shard.documents)
                advance(len(shard.documents))
                del shard  # while the next one is encoded
    if indexed == 0:
        raise DataError("the corpus holds no document; look at pairs.*.collection and pairs.*.corpus")
    shards.deliver(folder)
    counts = {"documents": indexed, "tokens": shards.store.tokens, "bytes_a_token": shards.store.bytes_a_token}
    return counts if kept.pool_factor == 1 else {**counts, "tokens_before_pooling": shards.encoded}


def pooled(documents: Sequence[torch.Tensor], factor: float) -> Pooled:
    """Keep about one token of `factor` of each document, (tokens, dimensions) float32."""
    kept = [tokens.numpy() for tokens in pool_tokens(documents, factor)]
    return Pooled(kept, sum(map(len, documents)))


def _encode_here(
    progress: Progress, encoder: Path, texts: Iterator[str], pool_factor: float, setup: EncoderSetup
) -> Iterator[Pooled]:
    if idle := idle_gpus(setup.device):
        progress.say(f"index: {idle} more GPUs are here; with --engine ray every one of them encodes")
    model = open_encoder(encoder, setup)
    if pool_factor > 1 and pools_tokens(model):
        progress.say("index: the encoder pools tokens already, and index.pool_factor pools what is left of them")
    # a map, which keeps no shard while the next one is encoded
    yield from map(partial(pooled, factor=pool_factor), encode_stream(model, texts, "document", setup.batch_size))


def _texts(documents: Iterable[Document], template: str, ids: deque[str]) -> Iterator[str]:
    """The texts of documents, whose ids are put aside."""
    for document in documents:
        ids.append(document.doc_id)
        yield fill(template, document)
