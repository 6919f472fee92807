"""Settings of the encoding, and sizes of models, read from their files without torch."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optical_cli.encoder.precision import Resolved
from optical_cli.errors import DataError, one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

Side = Literal["query", "document"]
SIDES: tuple[Side, Side] = ("query", "document")
CHUNK_BATCHES = 32
"""Batches that are sorted by length together: enough to save padding, few enough to stream."""
TOKENIZER = "tokenizer.json"
UNKNOWN = ("[UNK]", "<unk>")
"""Names of the unknown token: of WordPiece, and of Unigram and BPE."""
MOST_UNKNOWN = 0.01
"""Share of unknown tokens that needs no warning. A tokenizer trained on a language leaves rare symbols unknown."""


@dataclass(frozen=True)
class EncoderSetup:
    """Settings of the encoding of texts.

    Lengths are in tokens, special tokens included; the rest of a text is cut off.
    """

    query_length: int
    document_length: int
    precision: Resolved  # number format of the weights
    batch_size: int
    device: str

    @property
    def lengths(self) -> dict[Side, int]:
        """Longest text in tokens, by side."""
        return {"query": self.query_length, "document": self.document_length}


def token_counts(model: Path, texts: Sequence[str], max_length: int) -> "npt.NDArray[np.int64] | None":
    """Count the tokens of each text, (texts,), special and unscored tokens included.

    Returns None for a model without a fast tokenizer.
    """
    tokenizer = _tokenizer_of(model)
    if tokenizer is None:
        return None
    import numpy as np

    return np.minimum([len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))], max_length)


def unknown_share(model: Path, texts: Sequence[str]) -> float | None:
    """Return the share of the tokens of texts that are unknown tokens, 0 to 1, without special tokens.

    Returns None for texts without tokens, and for a model without a fast tokenizer or without an unknown token.
    """
    tokenizer = _tokenizer_of(model)
    unknown = {tokenizer.token_to_id(name) for name in UNKNOWN} - {None} if tokenizer else set()
    if tokenizer is None or not unknown:
        return None
    ids = [n for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False) for n in encoding.ids]
    return sum(number in unknown for number in ids) / len(ids) if ids else None


@cache
def _tokenizer_of(model: Path) -> "Tokenizer | None":
    """Open the fast tokenizer of a model, which does not cut texts; DataError if its file is damaged."""
    found = next((path for path in (model / TOKENIZER, *sorted(model.glob(f"*/{TOKENIZER}"))) if path.is_file()), None)
    if found is None:
        return None
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(found))
    except Exception as error:  # the library raises no other class
        raise DataError(f"{found} is no tokenizer ({one_line(error)}); copy or download the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def dimensions_of(model: Path) -> int | None:
    """Return the dimension of token embeddings: of the last projection, or else of hidden states; None if unknown."""
    configs = [_json(model / module["path"] / "config.json") for module in _json(model / "modules.json")]
    sizes = [config.get("out_features") for config in reversed(configs)]
    sizes.append(_json(model / "artifact.metadata").get("dim"))  # of Stanford ColBERT
    sizes += [config.get("hidden_size") for config in (_json(model / "config.json"), *configs)]
    return next((int(size) for size in sizes if size), None)


def weight_bytes(model: Path) -> int:
    """Return the size of a model's weights in bytes."""
    return sum(path.stat().st_size for path in model.rglob("*.safetensors"))


def _json(path: Path) -> Any:
    """Return the content of a JSON file; an empty mapping if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
