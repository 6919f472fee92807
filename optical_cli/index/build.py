"""Build an index: encode the documents of a collection, shard by shard, into a folder."""

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
from optical_cli.encoder.encode import encode_stream, pool_tokens, pools_tokens, report_batches
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.index.shards import Shards
from optical_cli.progress import Advance, Progress


@dataclass(frozen=True)
class Pooled:
    """The token embeddings of a shard of documents, after pooling."""

    documents: Sequence[Float32]  # (tokens, dimensions) each, rows of unit length
    encoded: int  # number of tokens before pooling


EncodeShards = Callable[[Path, Iterator[str], float, EncoderSetup], Iterator[Pooled]]
"""Encodes texts shard by shard. Called with the encoder's folder, the texts, the pool factor and the setup; must return
the same bits as encoding in this process."""


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
    """Encode documents into an index, with at most one shard of them in memory.

    Args:
        documents: the documents, read once and in order.
        encoder: folder of the encoder.
        folder: folder to write the index to.
        unfinished: folder on the same disk that outlives a kill. Finished shards found there are used; the index has
            the same bytes in either case.
        template: text to encode of a document, with {title} and {text}.
        count: number of documents, if known.
        kept: storage format and pooling.
        setup: lengths, precision, batch size and device.
        progress: where progress is reported.
        encode: encodes the shards elsewhere; None to encode in this process.

    Returns:
        facts for the manifest: `documents`, `tokens`, `bytes_a_token`, and with pooling `tokens_before_pooling`.

    Raises:
        DataError: a document has no token that MaxSim scores, or there are no documents.
    """
    with Shards(unfinished, kept.storage) as shards:
        indexed = shards.begun
        if indexed:
            progress.say(f"index: resumes after {indexed} documents")
        left = None if count is None else max(count - indexed, 0)
        with progress.task("index", left, "documents") as advance:
            ids: deque[str] = deque()
            texts = _texts(islice(documents, indexed, None), template, ids)
            here = partial(_encode_here, progress, advance)
            for shard in (encode or here)(encoder, texts, kept.pool_factor, setup):
                shards.append([ids.popleft() for _ in shard.documents], shard.documents, shard.encoded)
                indexed += len(shard.documents)
                if encode is not None:  # this process reports every batch
                    advance(len(shard.documents))
                del shard  # frees its memory before the next shard is encoded
    if indexed == 0:
        raise DataError("the corpus has no documents; check pairs.*.collection and pairs.*.corpus")
    shards.deliver(folder)
    counts = {"documents": indexed, "tokens": shards.store.tokens, "bytes_a_token": shards.store.bytes_a_token}
    return counts if kept.pool_factor == 1 else {**counts, "tokens_before_pooling": shards.encoded}


def pooled(documents: Sequence[torch.Tensor], factor: float) -> Pooled:
    """Pool the tokens of documents, (tokens, dimensions) float32 each, to 1 / `factor` of their number."""
    kept = [tokens.numpy() for tokens in pool_tokens(documents, factor)]
    return Pooled(kept, sum(map(len, documents)))


def _encode_here(
    progress: Progress, advance: Advance, encoder: Path, texts: Iterator[str], pool_factor: float, setup: EncoderSetup
) -> Iterator[Pooled]:
    if idle := idle_gpus(setup.device):
        progress.say(f"index: {idle} more GPUs are idle; use --engine ray to encode on all of them")
    model = open_encoder(encoder, setup)
    report_batches(model, advance)
    if pool_factor > 1 and pools_tokens(model):
        progress.say("index: the encoder pools its tokens, and index.pool_factor pools them again")
    # `map` keeps no reference to a shard while the next one is encoded
    yield from map(partial(pooled, factor=pool_factor), encode_stream(model, texts, "document", setup.batch_size))


def _texts(documents: Iterable[Document], template: str, ids: deque[str]) -> Iterator[str]:
    """Yield the texts of documents, and append their ids to `ids`."""
    for document in documents:
        ids.append(document.doc_id)
        yield fill(template, document)
