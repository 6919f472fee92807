"""A vocabulary cut down to what is used: a multilingual encoder is mostly embeddings of tokens nobody will read."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from optical_cli.encoder.pieces import PIECES, Pieces
from optical_cli.encoder.scored_ids import PROMPTS
from optical_cli.encoder.side import SIDES, Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress

CHUNK = 1024
"""Texts that are tokenized at a time."""


def trim_vocabulary(
    encoder: MultiVectorEncoder, texts: Iterable[tuple[Side | None, str]], floor: int, progress: Progress
) -> dict[str, Any]:
    """Cut an encoder's vocabulary and its word embeddings down to what texts use, in place.

    A text of tokens that are kept is cut into the same tokens as before and has the same embeddings. Kept are the
    tokens of the texts, special ones, every piece of a single character or byte, so that no text has an unknown
    token that it did not have before, and the `floor` most frequent pieces, so that texts nobody has seen are cut
    into little more tokens than before.

    Args:
        encoder: its tokenizer and its embeddings change.
        texts: each with the side it is encoded as, None for either; streamed, and read once.
        floor: how many of the most frequent pieces to keep in any case.

    Returns:
        tokens, parameters and bytes of the weights, before and after, for the manifest.

    Raises:
        ConfigError: the tokenizer is of a kind that cannot be trimmed.
    """
    tokenizer = _fast(encoder)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    pieces = _pieces(state)
    before = _size(encoder)
    used = _used_ids(encoder, tokenizer.backend_tokenizer, texts, progress)
    kept = pieces.closed(used | _needed_ids(encoder, tokenizer, state) | pieces.floor(floor))
    outside = sorted(_added(state).keys() - pieces.ids)
    order = [*sorted(kept & pieces.ids), *outside]  # the tokenizer numbers added tokens behind its model's
    new_ids = {old: new for new, old in enumerate(order)}
    tokenizer._tokenizer = _trimmed(state, pieces, new_ids)  # it has no public way to take another backend
    _cut_embeddings(encoder, order)
    _renumber(encoder, new_ids, tokenizer)
    return {
        name: {"before": was, "after": now} for (name, was), now in zip(before.items(), _size(encoder).values())  # noqa: B905
    }
