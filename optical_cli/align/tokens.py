"""The tokens that MaxSim scores, by name, and the mass that each has in transport."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from tokenizers.decoders import ByteLevel

from optical_cli.encoder.encode import scored_ids
from optical_cli.encoder.setup import Side
from optical_cli.errors import DataError, quoted
from optical_cli.transport import idf_weights, weighted_marginals


@dataclass(frozen=True, eq=False)
class ScoredTokens:
    """The tokens of a text that are scored: special tokens and prefixes too, if the encoder scores them.

    Attributes:
        names: as the tokenizer spells them.
        embeddings: (tokens, dimensions) float32, rows of unit length; on the CPU, as all else.
        mass: (tokens,) what each sends or receives; sums to 1.
    """

    names: tuple[str, ...]
    embeddings: torch.Tensor
    mass: torch.Tensor


def scored_tokens(
    encoder: MultiVectorEncoder, texts: Sequence[str], side: Side, batch_size: int, weights: torch.Tensor
) -> list[ScoredTokens]:
    """Encode texts and keep what the scoring mask keeps.

    Args:
        encoder: of the teacher or of a student.
        texts: in its language.
        side: as which they are encoded.
        batch_size: texts a batch.
        weights: of the encoder's vocabulary, as of `uniform_weights` or `rarity_weights`.

    Raises:
        DataError: a text has no token that MaxSim would score, or the encoder pools its tokens into others.
    """
    encode: Any = encoder.encode_query if side == "query" else encoder.encode_document
    features = encode(list(texts), batch_size=batch_size, show_progress_bar=False, output_value=None)
    return [_scored(encoder, text, of_text, weights) for text, of_text in zip(texts, features, strict=True)]


def uniform_weights(encoder: MultiVectorEncoder) -> torch.Tensor:
    """(vocabulary,) the same for every token."""
    return torch.ones(_vocabulary(encoder))


def rarity_weights(encoder: MultiVectorEncoder, sentences: Sequence[str], side: Side) -> torch.Tensor:
    """(vocabulary,) more for a token that fewer sentences have, as `transport.marginals: idf` counts in training.

    Args:
        encoder: its tokenizer cuts them.
        sentences: those that are trained on.
        side: as which they are encoded.
    """
    return idf_weights(scored_ids(encoder, sentences, side), _vocabulary(encoder))


def _vocabulary(encoder: MultiVectorEncoder) -> int:
    transformer: Any = encoder[0]
    return int(transformer.model.get_input_embeddings().num_embeddings)


def _scored(
    encoder: MultiVectorEncoder, text: str, features: dict[str, torch.Tensor], weights: torch.Tensor
) -> ScoredTokens:
    mask, ids = features["attention_mask"].bool(), features["input_ids"]
    if len(mask) != len(ids):
        raise DataError("the encoder pools tokens, so that no embedding has a token to be named by; take another")
    if not bool(mask.any()):
        raise DataError(f"no token of this text is left to score: {quoted(text)}; give another")
    embeddings = torch.nn.functional.normalize(features["token_embeddings"][mask].float(), dim=-1).cpu()
    scored = ids[mask].cpu()
    mass = weighted_marginals(weights[scored][None], torch.ones(1, len(scored)))[0]
    return ScoredTokens(_names(encoder.tokenizer, scored.tolist()), embeddings, mass)


def _names(tokenizer: Any, ids: list[int]) -> tuple[str, ...]:
    names = tokenizer.convert_ids_to_tokens(ids)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(getattr(backend, "decoder", None), ByteLevel):  # it spells bytes: क is the token "à¤ķ"
        decoded = (tokenizer.convert_tokens_to_string([name]) for name in names)
        names = ["▁" + name[1:] if name.startswith(" ") else name for name in decoded]
    return tuple(names)
