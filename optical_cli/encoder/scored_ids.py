"""Which tokens of a text MaxSim scores, by their ids, without running the encoder."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.multi_vector_encoder.modules import BaseTokenPooling, MultiVectorMask

from optical_cli.encoder.side import Side

Int32 = npt.NDArray[np.int32]

BATCH = 256
# the names under which `encode_query` and `encode_document` look for a prompt, in their order
PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}


def scored_ids(
    encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, max_length: int | None = None
) -> list[Int32]:
    """The ids of exactly the tokens whose embeddings encoding gives, in their order.

    Only an encoder that pools tokens has other embeddings than these ids speak of (see `pools_tokens`).

    Args:
        encoder: its tokenizer, prompts and scoring mask are asked.
        texts: any number.
        side: as which they are encoded.
        max_length: tokens of a text; the encoder's own for the side by default.
    """
    prompt = next((encoder.prompts[name] for name in PROMPTS[side] if name in encoder.prompts), None)
    how = {} if max_length is None else {"max_length": max_length}
    masks = [module for module in encoder if isinstance(module, MultiVectorMask)]
    found: list[Int32] = []
    for start in range(0, len(texts), BATCH):
        features = encoder.preprocess(list(texts[start : start + BATCH]), prompt=prompt, task=side, **how)
        for mask in masks:
            features = mask(features, task=side)
        ids, scored = features["input_ids"].numpy(), features["attention_mask"].bool().numpy()
        found += [row[kept].astype(np.int32) for row, kept in zip(ids, scored, strict=True)]
    return found


def pools_tokens(encoder: MultiVectorEncoder, side: Side) -> bool:
    """Whether an encoder merges tokens of a text, so that an embedding has no token of its own."""
    return any(isinstance(module, BaseTokenPooling) and module.applies_to(side) for module in encoder)
