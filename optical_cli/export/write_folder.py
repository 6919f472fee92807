"""Write a checkpoint as a self-contained folder, in the format of PyLate if that can express the model.

`MultiVectorEncoder` of sentence-transformers reads both formats. PyLate 1.6 has a Transformer and a Dense layer, always
normalizes, and keeps prefixes, lengths and the words of documents that are not scored in its configuration.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

from optical_cli.artifacts.output_folder import output_folder
from optical_cli.encoder.load import LOCAL_AND_SAFE, save_encoder
from optical_cli.encoder.open import open_encoder
from optical_cli.errors import OpticalError
from optical_cli.export.card import CARD_FILE
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import student_of
from optical_cli.pipeline.starts import trim_to_experiment

PROBES = ("Who mends the boat at dawn, and where?", "Juma.")
SAME = 1e-6  # largest difference of an embedding component that counts as equal
CONFIG = "config_sentence_transformers.json"
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
]


def open_student(pipeline: Pipeline, pair: str, checkpoint: Path) -> MultiVectorEncoder:
    """Load the student of a pair on the CPU in float32. A trimmed one gets the tokens of all texts of the experiment.

    Raises:
        DataError: the checkpoint has no encoder that can be loaded.
    """
    setup = replace(pipeline.student_setup, device="cpu", precision="float32")
    encoder = open_encoder(checkpoint, setup).eval()
    student = student_of(pipeline.experiment, pair)
    if setup.vocabulary is not None and student is not None:
        trim_to_experiment(pipeline, student, encoder)
    return encoder


def write_folder(
    encoder: MultiVectorEncoder,
    target: Path,
    card: Callable[[MultiVectorEncoder, str | None], str],
    *,
    force: bool,
) -> str | None:
    """Write an encoder as a folder for Hugging Face, with the whole encoder and adapters merged.

    The folder appears once it is complete and has been loaded again.

    Args:
        encoder: the student, in float32 on the CPU.
        target: folder to write.
        card: makes the text of README.md from the encoder and the reason why PyLate cannot load it.
        force: replace a model in `target`.

    Returns:
        the reason why PyLate cannot load the model; None if it can.

    Raises:
        ConfigError: the target cannot be written or is not empty.
        OpticalError: the written folder gives other embeddings than the encoder.
    """
    reason = _beyond_pylate(encoder)
    with output_folder(target, force=force) as folder:
        save_encoder(encoder, folder)
        if reason is None:
            _rewrite_for_pylate(encoder, folder)
        (folder / CARD_FILE).write_text(card(encoder, reason), encoding="utf-8")
        _check_same(encoder, folder)
    return reason


def _check_same(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Load the folder as a user does, and compare its embeddings with those of the checkpoint."""
    written = MultiVectorEncoder(str(folder), device="cpu", **LOCAL_AND_SAFE).eval()
    for encode in ("encode_query", "encode_document"):
        pair = (getattr(model, encode)(list(PROBES), show_progress_bar=False) for model in (encoder, written))
        for a, b in zip(*pair, strict=True):
            if a.shape != b.shape or not torch.allclose(a.float(), b.float(), rtol=0, atol=SAME):
                raise OpticalError(
                    "the exported model gives other token embeddings than its checkpoint, so nothing was written; "
                    "please report it with the model's modules.json"
                )


def _beyond_pylate(encoder: MultiVectorEncoder) -> str | None:
    """Say what of an encoder the format of PyLate cannot express; None if it can express everything."""
    kinds = [type(module) for module in encoder]
    if kinds[:2] != [Transformer, Dense]:
        return "it has no projection between its transformer and its token embeddings"
    if sorted(kind.__name__ for kind in kinds[2:]) != [MultiVectorMask.__name__, Normalize.__name__]:
        return f"it has other layers than a projection: {', '.join(kind.__name__ for kind in kinds[2:])}"
    layers: Any = encoder
    mask = _mask(encoder)
    documents_only = mask.skiplist_tasks == ["document"] or not mask.skiplist_words
    more_than_words = mask.keep_only_token_ids is not None or not documents_only
    holds = {
        "it expands its queries": layers[0].query_expansion is not None,
        "it puts a prompt before its texts": any(encoder.prompts.values()),
        "its scoring mask does more than skip words of documents": more_than_words,
        "its projection is not linear": not isinstance(layers[1].activation_function, torch.nn.Identity),
        f"it scores with {encoder.similarity_fn_name}": encoder.similarity_fn_name not in (None, "maxsim"),
    }
    return next((reason for reason, is_so in holds.items() if is_so), None)


def _rewrite_for_pylate(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Change the configuration of a saved encoder so that PyLate loads it too; the weights stay as they are."""
    transformer: Any = encoder[0]
    _write(folder / "modules.json", MODULES)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": transformer.max_seq_length, "do_lower_case": False})
    dense = {name: value for name, value in _read(folder / "1_Dense" / "config.json").items() if "module_" not in name}
    _write(folder / "1_Dense" / "config.json", dense)
    settings = {
        "model_type": "ColBERT",
        "query_prefix": "",
        "document_prefix": "",
        "query_length": transformer.query_length,
        "document_length": transformer.document_length,
        "do_query_expansion": False,
        "attend_to_expansion_tokens": False,
        "skiplist_words": _mask(encoder).skiplist_words,
        "similarity_fn_name": "MaxSim",
    }
    _write(folder / CONFIG, {**_read(folder / CONFIG), **settings})
    for number, module in enumerate(encoder):
        empty = folder / f"{number}_{type(module).__name__}"
        if number > 1 and empty.is_dir():  # on loading, the library adds these layers to a folder of this format
            shutil.rmtree(empty)


def _mask(encoder: MultiVectorEncoder) -> Any:
    return next(module for module in encoder if isinstance(module, MultiVectorMask))


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
