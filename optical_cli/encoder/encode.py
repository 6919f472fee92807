"""Texts to token embeddings: unit length, exactly the tokens that MaxSim scores."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import CHUNK_BATCHES, EncoderSetup
from optical_cli.encoder.side import SIDES, Side
from optical_cli.errors import DataError, quoted


def open_encoder(folder: Path, setup: EncoderSetup) -> MultiVectorEncoder:
    """Load an encoder for encoding, its weights in the precision of the setup.

    Raises:
        DataError: the folder holds no model that can be loaded.
    """
    encoder = load_encoder(
        folder, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
    )
    return encoder.to(torch.bfloat16 if setup.precision == "bfloat16" else torch.float32)


def encode_texts(encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, batch_size: int) -> list[torch.Tensor]:
    """Encode texts as queries or as documents.

    Returns:
        for each text (tokens, dimensions) float32 on the CPU, rows of unit length.

    Raises:
        DataError: a text has no token that MaxSim would score, or an embedding is not finite.
    """
    encode = encoder.encode_query if side == "query" else encoder.encode_document
    encoded = deque(encode(list(texts), batch_size=batch_size, show_progress_bar=False))
    embeddings = []
    while encoded:  # each is let go of as it is done with: those of a chunk of long passages are half a gigabyte
        embeddings.append(torch.nn.functional.normalize(encoded.popleft().float(), dim=-1).cpu())
    for text, tokens in zip(texts, embeddings, strict=True):
        if len(tokens) == 0:
            raise DataError(f"no token of this text is left to score: {quoted(text)}; remove or mend it")
        if not bool(torch.isfinite(tokens).all()):
            raise DataError(f"the encoder gave an embedding that is not finite for: {quoted(text)}")
    return embeddings


def encode_stream(
    encoder: MultiVectorEncoder, texts: Iterable[str], side: Side, batch_size: int
) -> Iterator[list[torch.Tensor]]:
    """Encode a stream of texts in chunks, in order; each text as of `encode_texts`."""
    for chunk in chunks(texts, batch_size):
        yield encode_texts(encoder, chunk, side, batch_size)


def chunks(texts: Iterable[str], batch_size: int) -> Iterator[list[str]]:
    """Texts that are sorted by length together; which they are decides on last bits."""
    waiting = iter(texts)
    while chunk := list(islice(waiting, batch_size * CHUNK_BATCHES)):
        yield chunk


def pad(texts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of any length as one batch: (texts, longest, dimensions), zeros behind, and its mask (texts, longest)."""
    padded = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True)
    lengths = torch.tensor([len(tokens) for tokens in texts])
    return padded, torch.arange(padded.shape[1])[None, :] < lengths[:, None]


def sides_differ(encoder: MultiVectorEncoder, probe: str = "What does a fisherman, say, mend at dawn?") -> bool:
    """Whether the encoder treats a text differently as a query and as a document."""
    masks = [module for module in encoder if isinstance(module, MultiVectorMask)]
    if any(mask.skiplist_words or mask.keep_only_token_ids for mask in masks):
        return True  # a text without such a token would not show it
    as_query, as_document = (encode_texts(encoder, [probe], side, 1)[0] for side in SIDES)
    return as_query.shape != as_document.shape or not torch.equal(as_query, as_document)
