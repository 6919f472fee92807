"""Loads and saves late-interaction encoders."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask
from transformers.utils import logging as transformers_logging

from optical_cli.encoder.adapters import has_adapters, is_adapted, merge_adapters, save_adapters, start_of
from optical_cli.encoder.device import keep_threads
from optical_cli.encoder.whole import (
    positions_of,
    refuse_dead_weights,
    refuse_empty_vocabulary,
    refuse_foreign_tokenizer,
    refuse_missing_weights,
    refuse_no_room,
)
from optical_cli.errors import DataError

# progress bars of the library would disturb those of the command line
transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_LOADING = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)
"""Errors that the libraries raise for a folder without a valid model; they have no common base class."""
LOCAL_AND_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def load_encoder(folder: Path, *, query_length: int, document_length: int, device: str) -> MultiVectorEncoder:
    """Load a late-interaction encoder, or make one from another encoder.

    A multi-vector checkpoint (sentence-transformers, PyLate, Stanford ColBERT) is loaded as it is. For any other
    encoder, the token embeddings are the states of its last layer, at unit length: `MultiVectorEncoder` would add a
    random projection, which loses what a teacher knows. Adapters are merged into the weights of their start, which is
    in a folder beside theirs.

    Args:
        query_length: longest query in tokens, special tokens included; at most what the encoder has positions for.
        document_length: longest document in tokens, special tokens included; at most what the encoder has positions
            for.

    Raises:
        DataError: the folder has no model with weights in safetensors that can be loaded; a weight is not finite, or a
            projection all zero; a length has no room for a token of a text.
        CacheError: it has adapters, and the weights they are added to are missing.
    """
    keep_threads()
    whole = start_of(folder) if is_adapted(folder) else folder
    with faults_of_model(whole, "encoder"):
        if is_multi_vector(whole):
            safe = {"model_kwargs": {"use_safetensors": True}, **LOCAL_AND_SAFE}
            encoder = MultiVectorEncoder(str(whole), device=device, **safe)
        else:
            unit_length = Normalize(module_input_name="token_embeddings")
            modules: list[torch.nn.Module] = [_transformer(whole), MultiVectorMask(), unit_length]
            encoder = MultiVectorEncoder(modules=modules, device=device)
        transformer: Any = encoder[0]
        refuse_missing_weights(Path(transformer.model.config.name_or_path), transformer.model)
        refuse_empty_vocabulary(whole, transformer.tokenizer)
        refuse_foreign_tokenizer(whole, transformer.tokenizer, transformer.model)
        limits = (encoder.get_max_seq_length(), positions_of(transformer.model))
        longest = min((limit for limit in limits if limit), default=sys.maxsize)
        transformer.query_length = min(query_length, longest)
        transformer.document_length = min(document_length, longest)
        refuse_no_room(whole, encoder)
    if whole != folder:
        with faults_of_model(folder, "encoder"):
            merge_adapters(encoder, folder)
    refuse_dead_weights(folder, encoder)
    return encoder


def is_multi_vector(folder: Path) -> bool:
    """Return whether a model folder has a late-interaction encoder."""
    if is_adapted(folder):
        return True
    if any(module["type"].endswith("MultiVectorMask") for module in _json(folder / "modules.json")):
        return True
    if _json(folder / "config_sentence_transformers.json").get("model_type") in {"MultiVectorEncoder", "ColBERT"}:
        return True
    return "HF_ColBERT" in (_json(folder / "config.json").get("architectures") or [])


def project(encoder: MultiVectorEncoder, weight: torch.Tensor) -> MultiVectorEncoder:
    """Return the encoder with this projection, (out, in) and without a bias, in place of any other projection."""
    dense = Dense(
        in_features=weight.shape[1],
        out_features=weight.shape[0],
        bias=False,
        activation_function=torch.nn.Identity(),
        module_input_name="token_embeddings",
    )
    with torch.no_grad():
        dense.linear.weight.copy_(weight)
    transformer, *rest = [module for module in encoder if not isinstance(module, Dense)]
    return MultiVectorEncoder(modules=[transformer, dense, *rest], device=str(encoder.device))


def save_encoder(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Save an encoder in the format of sentence-transformers; `MultiVectorEncoder(folder)` loads it."""
    encoder.save(str(folder), create_model_card=False, safe_serialization=True)


def save_student(encoder: MultiVectorEncoder, folder: Path, start: Path) -> None:
    """Save a trained student. Of a student with adapters, only these are saved, with the name of the start."""
    if has_adapters(encoder):
        save_adapters(encoder, folder, start)
    else:
        save_encoder(encoder, folder)


@contextmanager
def faults_of_model(folder: Path, kind: str) -> Iterator[None]:
    """Turn errors of the libraries while they load a model of a kind, such as "encoder", into a DataError."""
    try:
        yield
    except _LOADING as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{folder}: cannot load the {kind}: {lines[0]}; check that the folder is complete") from error


def _transformer(folder: Path) -> Transformer:
    modules = _json(folder / "modules.json")
    first = next((module for module in modules if module["type"].endswith("Transformer")), None)
    inner = folder / first["path"] if first else folder
    weights, safe = {"use_safetensors": True, **LOCAL_AND_SAFE}, LOCAL_AND_SAFE
    loaded: Transformer = Transformer(str(inner), model_kwargs=weights, processor_kwargs=safe, config_kwargs=safe)
    return loaded


def _json(path: Path) -> Any:
    """Return the content of a JSON file; an empty mapping if there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
