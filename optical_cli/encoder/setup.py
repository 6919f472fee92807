"""How encoders are run, and the sizes that a model's files tell; known without torch."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optical_cli.encoder.precision import Resolved

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Side = Literal["query", "document"]
SIDES: tuple[Side, Side] = ("query", "document")
CHUNK_BATCHES = 32
"""Batches that are sorted by length together: enough to waste little padding, few enough to stream."""
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class EncoderSetup:
    """How texts become token embeddings.

    Lengths are in tokens, special ones included; the rest of a text is cut off.
    """

    query_length: int
    document_length: int
    precision: Resolved  # of the weights
    batch_size: int
    device: str

    @property
    def lengths(self) -> dict[Side, int]:
        """The length of each side."""
        return {"query": self.query_length, "document": self.document_length}


def token_counts(model: Path, texts: Sequence[str], max_length: int) -> "npt.NDArray[np.int64] | None":
    """(texts,) tokens of each text, special and unscored ones included; None for a model without a fast tokenizer."""
    found = next((path for path in (model / TOKENIZER, *sorted(model.glob(f"*/{TOKENIZER}"))) if path.is_file()), None)
    if found is None:
        return None
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import numpy as np
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(found))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return np.minimum([len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))], max_length)


def dimensions_of(model: Path) -> int | None:
    """Numbers of a token's embedding: of the last projection, else of a hidden state; None if no file says it."""
    configs = [_json(model / module["path"] / "config.json") for module in _json(model / "modules.json")]
    sizes = [config.get("out_features") for config in reversed(configs)]
    sizes.append(_json(model / "artifact.metadata").get("dim"))  # of Stanford's ColBERT
    sizes += [config.get("hidden_size") for config in (_json(model / "config.json"), *configs)]
    return next((int(size) for size in sizes if size), None)


def weight_bytes(model: Path) -> int:
    """Bytes of a model's weights."""
    return sum(path.stat().st_size for path in model.rglob("*.safetensors"))


def _json(path: Path) -> Any:
    """The content of a file; nothing if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
