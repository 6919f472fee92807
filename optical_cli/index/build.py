"""Encodes a collection, document by document, into an index folder."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from optical_cli.config.experiment import Index
from optical_cli.data.documents import Document, fill
from optical_cli.encoder.device import idle_gpus
from optical_cli.encoder.encode import encode_stream, open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.encoder.token_pooling import pools_already
from optical_cli.errors import DataError
from optical_cli.index.pooled import Pooled, pooled
from optical_cli.index.shards import Shards
from optical_cli.progress import Progress

EncodeShards = Callable[[Path, Iterator[str], float, EncoderSetup], Iterator[Pooled]]
"""Encodes documents shard by shard: encoder folder, texts, pool factor, setup. The bits are those of `build_index`."""


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
    """Encode documents as they come; never more than a shard of them is in memory.

    Args:
        documents: checked ones.
        encoder: a model folder.
        folder: receives the token store and the ids.
        unfinished: a folder on the same disk that outlives a kill; if shards of the same index were finished there, it
            goes on behind them, and ends with the same bytes.
        template: what of a document is encoded, with {title} and {text}.
        count: how many documents there are, if it is known, for the estimate of time.
        kept: what is kept of the documents.
        setup: how texts are encoded.
        progress: hears of the documents.
        encode: encodes the shards in place of this process.

    Returns:
        counts of documents and tokens, of the tokens before any were pooled, and the bytes of one, for the manifest.

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
            for shard in _encoded(texts, encoder, kept.pool_factor, setup, progress, encode):
                shards.append([ids.popleft() for _ in shard.documents], shard.documents, shard.encoded)
                indexed += len(shard.documents)
                advance(len(shard.documents))
                del shard  # while the next one is encoded
    if indexed == 0:
        raise DataError("the corpus holds no document; look at pairs.*.collection and pairs.*.corpus")
    shards.deliver(folder)
    counts = {"documents": indexed, "tokens": shards.tokens, "bytes_a_token": shards.bytes_a_token}
    return counts if kept.pool_factor == 1 else {**counts, "tokens_before_pooling": shards.encoded}


def _encoded(
    texts: Iterator[str],
    encoder: Path,
    pool_factor: float,
    setup: EncoderSetup,
    progress: Progress,
    encode: EncodeShards | None,
) -> Iterator[Pooled]:
    """Shard after shard, by this process or by `encode`."""
    if encode is not None:
        yield from encode(encoder, texts, pool_factor, setup)
        return
    if idle := idle_gpus(setup.device):
        progress.say(f"index: {idle} more GPUs are here; with --engine ray every one of them encodes")
    model = open_encoder(encoder, setup)
    if pool_factor > 1 and pools_already(model):
        progress.say("index: the encoder pools tokens already, and index.pool_factor pools what is left of them")
    yield from map(partial(pooled, factor=pool_factor), encode_stream(model, texts, "document", setup.batch_size))


def _texts(documents: Iterable[Document], template: str, ids: deque[str]) -> Iterator[str]:
    """The text of each document, its id put aside as it passes."""
    for document in documents:
        ids.append(document.doc_id)
        yield fill(template, document)
