"""Encodes texts as token embeddings of unit length, for the tokens that MaxSim scores."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import (
    BaseTokenPooling,
    HierarchicalTokenPooling,
    MultiVectorMask,
)

from optical_cli.encoder.setup import CHUNK_BATCHES, SIDES, Side, prompt_in
from optical_cli.errors import DataError, quoted
from optical_cli.progress import Advance

Int32 = npt.NDArray[np.int32]
Item = TypeVar("Item")
TOGETHER = 256
"""Texts to tokenize at a time."""


def encode_texts(encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, batch_size: int) -> list[torch.Tensor]:
    """Encode texts as queries or as documents.

    Returns:
        for each text its token embeddings, (tokens, dimensions) float32 on the CPU, of unit length.

    Raises:
        DataError: a text has no token that MaxSim scores, or its embeddings are not finite or all zero.
    """
    encode = encoder.encode_query if side == "query" else encoder.encode_document
    encoded = deque(encode(list(texts), batch_size=batch_size, show_progress_bar=False))
    embeddings = []
    while encoded:  # frees memory one text at a time: a chunk of long passages takes half a gigabyte
        embeddings.append(torch.nn.functional.normalize(encoded.popleft().float(), dim=-1).cpu())
    for text, tokens in zip(texts, embeddings, strict=True):
        if len(tokens) == 0:
            raise DataError(f"the text has no token to score: {quoted(text)}; correct or remove it")
        if not bool(torch.isfinite(tokens).all()):
            raise DataError(
                f"the encoder returned an embedding that is not finite for the text {quoted(text)}; check the model, "
                "or use precision float32"
            )
        if not bool(tokens.any()):
            raise DataError(
                f"all embeddings that the encoder returned for the text {quoted(text)} are zero, so that it scores "
                "everything alike; check the weights of the model"
            )
    return embeddings


def encode_stream(
    encoder: MultiVectorEncoder, texts: Iterable[str], side: Side, batch_size: int
) -> Iterator[list[torch.Tensor]]:
    """Encode a stream of texts in order; yields the embeddings of a chunk at a time."""
    for chunk in chunks(texts, batch_size):
        yield encode_texts(encoder, chunk, side, batch_size)


def report_batches(encoder: MultiVectorEncoder, advance: Advance) -> None:
    """Call `advance` with the number of texts of every batch that an encoder encodes from now on."""
    encoder[0].register_forward_hook(lambda _module, inputs, _found: advance(len(inputs[0]["input_ids"])))


def chunks(texts: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Split a stream of texts, or of ids and texts, into the chunks that are sorted by length for encoding.

    The last bits of an embedding depend on the other texts of its chunk.
    """
    waiting = iter(texts)
    while chunk := list(islice(waiting, batch_size * CHUNK_BATCHES)):
        yield chunk


def pad(texts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad texts to one batch, (texts, longest, dimensions), with zeros; return it and its mask, (texts, longest)."""
    padded = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True)
    lengths = torch.tensor([len(tokens) for tokens in texts])
    return padded, torch.arange(padded.shape[1])[None, :] < lengths[:, None]


def sides_differ(encoder: MultiVectorEncoder, probe: str = "What does a fisherman, say, mend at dawn?") -> bool:
    """Return whether the encoder encodes a text differently as a query and as a document."""
    transformer: Any = encoder[0]
    if any(mask.skiplist_words or mask.keep_only_token_ids for mask in masks_of(encoder)):
        return True  # the probe may not have such a token
    if getattr(transformer, "query_expansion", None):
        return True  # the probe may be too long to be expanded
    as_query, as_document = (encode_texts(encoder, [probe], side, 1)[0] for side in SIDES)
    return as_query.shape != as_document.shape or not torch.equal(as_query, as_document)


def masks_of(encoder: MultiVectorEncoder) -> list[MultiVectorMask]:
    """Return the modules that select the tokens to score."""
    return [module for module in encoder if isinstance(module, MultiVectorMask)]


def prompt_of(encoder: MultiVectorEncoder, side: Side) -> str | None:
    """Return the prompt of a side; None if the encoder has none."""
    return prompt_in(encoder.prompts, side)


def scored_ids(
    encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, max_length: int | None = None
) -> list[Int32]:
    """Return the ids of the scored tokens of each text, in order, without running the encoder.

    An encoder that pools tokens has other embeddings than these. `max_length` is in tokens; None for the encoder's own.
    """
    how = {} if max_length is None else {"max_length": max_length}
    found: list[Int32] = []
    for start in range(0, len(texts), TOGETHER):
        some = list(texts[start : start + TOGETHER])
        features = encoder.preprocess(some, prompt=prompt_of(encoder, side), task=side, **how)
        for mask in masks_of(encoder):
            features = mask(features, task=side)
        ids, scored = features["input_ids"].numpy(), features["attention_mask"].bool().numpy()
        found += [row[kept].astype(np.int32) for row, kept in zip(ids, scored, strict=True)]
    return found


def pools_tokens(encoder: MultiVectorEncoder, side: Side | None = None) -> bool:
    """Whether an encoder pools tokens of a side, or of any side by default, so that embeddings have no token."""
    poolings = (module for module in encoder if isinstance(module, BaseTokenPooling))
    return any(side is None or pooling.applies_to(side) for pooling in poolings)


def pool_tokens(documents: Sequence[torch.Tensor], factor: float) -> list[torch.Tensor]:
    """Pool the tokens of each document: about one of `factor` tokens stays; 1 keeps all.

    Implemented by sentence-transformers, after Clavié et al. 2024 (arXiv 2409.14683): the tokens of a document are
    clustered by Ward's method and cosine distance, and each cluster is replaced by its mean, of unit length. The first
    token, usually [CLS], is kept.

    Args:
        documents: token embeddings of each document, (tokens, dimensions), of unit length, on the CPU.
    """
    if factor == 1:
        return list(documents)
    return HierarchicalTokenPooling(factor).pool(list(documents), task="document")
