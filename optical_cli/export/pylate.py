"""The format of PyLate, which sentence-transformers' `MultiVectorEncoder` reads as well as its own.

PyLate 1.6 knows a Transformer and a Dense layer; prefixes, lengths and the words of documents that are not scored stand
in config_sentence_transformers.json; it always normalizes.
"""

import json
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

CONFIG = "config_sentence_transformers.json"
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
]


def no_pylate_because(encoder: MultiVectorEncoder) -> str | None:
    """What of an encoder PyLate's format has no words for; None if it has for all."""
    kinds = [type(module) for module in encoder]
    if kinds[:2] != [Transformer, Dense]:
        return "it has no projection between its transformer and its token embeddings"
    if sorted(kind.__name__ for kind in kinds[2:]) != [MultiVectorMask.__name__, Normalize.__name__]:
        return f"it has other layers than a projection: {', '.join(kind.__name__ for kind in kinds[2:])}"
    transformer: Any
    dense: Any
    transformer, dense = encoder[0], encoder[1]
    mask = next(module for module in encoder if isinstance(module, MultiVectorMask))
    documents_only = mask.skiplist_tasks == ["document"] or not mask.skiplist_words
    holds = {
        "it expands its queries": transformer.query_expansion is not None,
        "it puts a prompt before its texts": any(encoder.prompts.values()),
        "its scoring mask is more than words of documents that are left out": mask.keep_only_token_ids is not None
        or not documents_only,
        "its projection is not linear": not isinstance(dense.activation_function, torch.nn.Identity),
        f"it scores with {encoder.similarity_fn_name}": encoder.similarity_fn_name not in (None, "maxsim"),
    }
    return next((reason for reason, is_so in holds.items() if is_so), None)


def rewrite_for_pylate(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Turn a folder that `save_encoder` wrote into one that PyLate loads, too.

    Args:
        encoder: what the folder holds; `no_pylate_because` has nothing against it.
        folder: changed in place; the weights stay where they are.
    """
    transformer: Any = encoder[0]
    mask = next(module for module in encoder if isinstance(module, MultiVectorMask))
    _write(folder / "modules.json", MODULES)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": transformer.max_seq_length, "do_lower_case": False})
    dense = {name: value for name, value in _read(folder / "1_Dense" / "config.json").items() if "module_" not in name}
    _write(folder / "1_Dense" / "config.json", dense)
    _write(
        folder / CONFIG,
        {
            **_read(folder / CONFIG),
            "model_type": "ColBERT",
            "query_prefix": "",
            "document_prefix": "",
            "query_length": transformer.query_length,
            "document_length": transformer.document_length,
            "do_query_expansion": False,
            "attend_to_expansion_tokens": False,
            "skiplist_words": mask.skiplist_words,
            "similarity_fn_name": "MaxSim",
        },
    )
    for number, module in enumerate(encoder):
        empty = folder / f"{number}_{type(module).__name__}"
        if number > 1 and empty.is_dir():  # what the library appends itself to a folder of this format
            for file in empty.iterdir():
                file.unlink()
            empty.rmdir()


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
