"""Settings of the encoding, and sizes of models, read from their files without torch."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optical_cli.encoder.pieces import pieces_of
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
PROMPTS = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""Names of the prompts that `encode_query` and `encode_document` use; the first that exists is taken."""
UNKNOWN = ("[UNK]", "<unk>")
"""Names of the unknown token: of WordPiece, and of Unigram and BPE."""
MOST_UNKNOWN = 0.01
"""Share of unknown tokens that needs no warning. A tokenizer trained on a language leaves rare symbols unknown."""


@dataclass(frozen=True)
class EncoderSetup:
    """Settings of the encoding of texts.

    Lengths are in tokens, special tokens included; the rest of a text is cut off.

    Attributes:
        vocabulary: folder of the model whose tokens an encoder with a trimmed vocabulary gets back when it is opened;
            None for an encoder that has all of its tokens.
    """

    query_length: int
    document_length: int
    precision: Resolved  # number format of the weights
    batch_size: int
    device: str
    vocabulary: Path | None = None

    @property
    def lengths(self) -> dict[Side, int]:
        """Longest text in tokens, by side."""
        return {"query": self.query_length, "document": self.document_length}


def prompt_in(prompts: Mapping[str, str | None], side: Side) -> str | None:
    """Return the prompt of a side among those of a model; None if there is none."""
    return next((prompts[name] for name in PROMPTS[side] if name in prompts), None)


def token_counts(model: Path, texts: Sequence[str], max_length: int) -> "npt.NDArray[np.int64] | None":
    """Count the tokens of each text, (texts,), special and unscored tokens included.

    Returns None for a model without a fast tokenizer; DataError if its tokenizer.json is damaged.
    """
    tokenizer = _tokenizer_of(model)
    if tokenizer is None:
        return None
    import numpy as np

    return np.minimum([len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts))], max_length)


def tokens_removed(model: Path, texts: Sequence[str], floor: int) -> int:
    """Count the tokens of a vocabulary that `trim_vocabulary` removes; 0 if its tokenizer cannot be trimmed.

    Args:
        texts: texts whose tokens are kept.
        floor: number of most frequent tokens to keep.
    """
    tokenizer = _tokenizer_of(model)
    pieces = pieces_of(json.loads(tokenizer.to_str())["model"]) if tokenizer else None
    if tokenizer is None or pieces is None:
        return 0
    used = {number for encoding in tokenizer.encode_batch(list(texts)) for number in encoding.ids}
    kept = pieces.closed(pieces.indispensable | pieces.most_frequent(floor) | used)
    return len(pieces.names.keys() - kept)


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
    except Exception as error:  # the library raises nothing more specific
        raise DataError(f"{found} cannot be read ({one_line(error)}); check that the model is complete") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def tokens_around(model: Path, side: Side, before: str = "") -> int | None:
    """Count the tokens of a text that its own words cannot use: special tokens, the prompt, and `before`.

    Returns None for a model without a fast tokenizer.
    """
    prompts = _json(model / "config_sentence_transformers.json").get("prompts") or {}
    counts = token_counts(model, [(prompt_in(prompts, side) or "") + before], sys.maxsize)
    return None if counts is None else int(counts[0])


def dimensions_of(model: Path) -> int | None:
    """Return the dimension of token embeddings: of the last projection, or else of hidden states; None if unknown."""
    configs = [_json(model / module["path"] / "config.json") for module in _json(model / "modules.json")]
    sizes = [config.get("out_features") for config in reversed(configs)]
    sizes.append(_json(model / "artifact.metadata").get("dim"))  # of Stanford ColBERT
    sizes += [config.get("hidden_size") for config in (_json(model / "config.json"), *configs)]
    return next((int(size) for size in sizes if size), None)


def hidden_size_of(model: Path) -> int | None:
    """Return the size of the states of a transformer; None if unknown."""
    return _of_transformer(model, "hidden_size", "dim")


def layers_of(model: Path) -> int | None:
    """Return the number of layers of a transformer; None if unknown."""
    return _of_transformer(model, "num_hidden_layers", "n_layers")


def _of_transformer(model: Path, *names: str) -> int | None:
    """Return the first of these settings that the configuration of a transformer has."""
    paths = ["", *(module["path"] for module in _json(model / "modules.json"))]
    configs = [_json(model / path / "config.json") for path in paths]
    return next((int(config[name]) for config in configs for name in names if name in config), None)


@cache
def may_tell_sides_apart(model: Path) -> bool:
    """Return whether a model could encode a text otherwise as a query than as a document, by its files.

    Only a model whose modules are all known, and that has no setting of a side, is known not to. The answer is kept for
    the duration of the process.
    """
    modules = _json(model / "modules.json") or []
    kinds = {module["type"].rpartition(".")[2] for module in modules}
    paths = ["", *(module["path"] for module in modules)]
    configs = [_json(model / path / name) for path in paths for name in _CONFIGS]
    colbert = any(_COLBERT & {config.get("model_type"), *(config.get("architectures") or [])} for config in configs)
    prompted = any(prompt for config in configs for prompt in (config.get("prompts") or {}).values())
    set_apart = any(config.get(name) for config in configs for name in _OF_A_SIDE)
    return colbert or prompted or set_apart or not kinds <= _SIDELESS


_CONFIGS = ("config.json", "sentence_bert_config.json", "config_sentence_transformers.json")
_SIDELESS = {"Transformer", "Dense", "Normalize", "Pooling", "MultiVectorMask"}
"""Modules that encode queries and documents alike unless a setting says otherwise."""
_OF_A_SIDE = (
    "skiplist_words",
    "keep_only_token_ids",
    "query_expansion",
    "do_query_expansion",
    "query_prefix",
    "document_prefix",
)
"""Settings of one side, of sentence-transformers and of PyLate."""
_COLBERT = {"ColBERT", "HF_ColBERT"}
"""Marks of PyLate and Stanford ColBERT, whose defaults tell sides apart."""


def weight_bytes(model: Path) -> int:
    """Return the size of a model's weights in bytes."""
    return sum(path.stat().st_size for path in model.rglob("*.safetensors"))


def _json(path: Path) -> Any:
    """Return the content of a JSON file; an empty mapping if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
