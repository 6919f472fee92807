"""Encodes a collection, document by document, into an index folder."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from optical_cli.artifacts.document_index import DOC_IDS
from optical_cli.artifacts.token_store import TokenStoreWriter
from optical_cli.data.collections import Document
from optical_cli.data.documents import fill
from optical_cli.encoder.encode import encode_stream, open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.progress import Progress


def build_index(
    documents: Iterable[Document],
    encoder: Path,
    folder: Path,
    *,
    template: str,
    count: int | None,
    setup: EncoderSetup,
    progress: Progress,
) -> dict[str, Any]:
    """Encode documents as they come; never more than a chunk of them is in memory.

    Args:
        documents: checked ones.
        encoder: a model folder.
        folder: receives the token store and the ids.
        template: what of a document is encoded, with {title} and {text}.
        count: how many documents there are, if it is known, for the estimate of time.
        setup: how texts are encoded.

    Returns:
        counts of documents and tokens, for the manifest.

    Raises:
        DataError: a document has no token to score, or there is no document.
    """
    model = open_encoder(encoder, setup)
    indexed = 0
    with (
        (folder / DOC_IDS).open("w", encoding="utf-8", newline="\n") as ids,
        TokenStoreWriter(folder) as store,
        progress.task("index", count, "documents") as advance,
    ):
        texts = _texts(documents, template, ids)
        for chunk in encode_stream(model, texts, "document", setup.batch_size):
            store.append(chunk)
            indexed += len(chunk)
            advance(len(chunk))
        tokens = store.tokens
    if indexed == 0:
        raise DataError("the corpus holds no document; look at pairs.*.collection and pairs.*.corpus")
    return {"documents": indexed, "tokens": tokens}


def _texts(documents: Iterable[Document], template: str, ids: Any) -> Iterator[str]:
    """The text of each document, its id written down as it passes."""
    for document in documents:
        ids.write(f"{document.doc_id}\n")
        yield fill(template, document)
