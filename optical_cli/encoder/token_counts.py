"""How many tokens a text has and how many numbers a token, known from a model's files without loading it."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TOKENIZER = "tokenizer.json"


def token_counts(model: Path, texts: Sequence[str], max_length: int) -> npt.NDArray[np.int64] | None:
    """(texts,) tokens of each text, special ones included; None for a model without a fast tokenizer.

    Tokens that an encoder does not score, such as marks of punctuation of some, are counted too.
    """
    found = next((path for path in (model / TOKENIZER, *sorted(model.glob(f"*/{TOKENIZER}"))) if path.is_file()), None)
    if found is None:
        return None
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(found))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return np.minimum([len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))], max_length)


def dimensions_of(model: Path) -> int | None:
    """Numbers of a token's embedding: those of the last projection, else of a hidden state; None if no file says it."""
    modules = _json(model / "modules.json") or []
    for module in reversed(modules):
        found = (_json(model / module["path"] / "config.json") or {}).get("out_features")
        if found is not None:
            return int(found)
    folders = [model, *(model / module["path"] for module in modules)]
    metadata = _json(model / "artifact.metadata") or {}  # of Stanford's ColBERT
    found = metadata.get("dim") or next(
        (size for folder in folders if (size := (_json(folder / "config.json") or {}).get("hidden_size"))), None
    )
    return None if found is None else int(found)


def weight_bytes(model: Path) -> int:
    """Bytes of a model's weights."""
    return sum(path.stat().st_size for path in model.rglob("*.safetensors"))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
