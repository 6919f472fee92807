"""Refuse models that would score in silence: with random or dead weights, without vocabulary, or without room."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense

from optical_cli.encoder.setup import SIDES, prompt_in
from optical_cli.errors import DataError, shortened

UNUSED = ("pooler",)
"""Parts of a transformer that no token embedding comes from; checkpoints often lack them."""
MOST_TOKENS = 1.01
"""Tokens of a tokenizer per embedding of its model; some tokenizers have a few special tokens more."""


def refuse_missing_weights(folder: Path, model: Any, missing: Iterable[str] | None = None) -> None:
    """Raise DataError if the files of a model lack tensors that it uses.

    `transformers` fills what is missing with random numbers, and only logs it.

    Args:
        folder: of the model's weights.
        model: a model of transformers that was loaded from it.
        missing: names of the tensors that were missing when it was loaded; None to find them by the model's class.
    """
    if missing is None:
        _, found = type(model).from_pretrained(
            str(folder), config=model.config, output_loading_info=True, device_map="meta", local_files_only=True,
            use_safetensors=True,
        )  # fmt: skip
        missing = found["missing_keys"]
    used = sorted(name for name in missing if not any(part in UNUSED for part in name.split(".")))
    if used:
        shown = ", ".join(map(shortened, used[:3])) + (", …" if len(used) > 3 else "")
        raise DataError(
            f"{folder}: its weights do not fit its config.json: {len(used)} tensors are missing ({shown}) and would be "
            "random; check that both are of one model, and that tensors have the names of its architecture"
        )


def refuse_empty_vocabulary(folder: Path, tokenizer: Any) -> None:
    """Raise DataError if a tokenizer knows no word.

    `transformers` makes an empty tokenizer of a folder without vocabulary files, and every word is unknown then.
    """
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)) + 1:  # one more: the space of sentencepiece
        raise DataError(
            f"{folder}: its tokenizer has no vocabulary, only {len(tokenizer)} special tokens; add the model's "
            "tokenizer.json (or vocab.txt, or its *.model file) to the folder"
        )


def refuse_foreign_tokenizer(folder: Path, tokenizer: Any, model: Any) -> None:
    """Raise DataError if a tokenizer has many more tokens than its model has embeddings: it is another model's."""
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > MOST_TOKENS * rows:
        raise DataError(
            f"{folder}: its tokenizer has {len(tokenizer)} tokens, and its model embeddings of {rows}; check that both "
            "are of one model"
        )


def refuse_dead_weights(folder: Path, encoder: MultiVectorEncoder) -> None:
    """Raise DataError if a weight is not finite, or a projection is all zero: every text would score alike."""
    for name, weight in encoder.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise DataError(f"{folder}: its weights in {name} are not finite (NaN or inf); get the model again")
    for name, module in encoder.named_children():
        if isinstance(module, Dense) and not bool(module.linear.weight.any()):
            raise DataError(f"{folder}: its projection (module {name}) is all zero; get the model again")


def refuse_no_room(folder: Path, encoder: MultiVectorEncoder) -> None:
    """Raise DataError if special tokens and prompt take all tokens of a query or a document."""
    transformer: Any = encoder[0]
    for side in SIDES:
        prompt = prompt_in(encoder.prompts, side) or ""
        around, length = len(transformer.tokenizer(prompt)["input_ids"]), getattr(transformer, f"{side}_length")
        if length <= around:
            raise DataError(
                f"{folder}: {side}_length {length} has no room for text: special tokens and prompt take {around} "
                f"tokens; expected at least {around + 1}"
            )


def positions_of(model: Any) -> int | None:
    """Number of tokens that a transformer has learned positions for; None if its positions have no end.

    RoBERTa and its kin start to count behind the padding token, so that two of 514 positions are never used.
    """
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            return module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
    return None
