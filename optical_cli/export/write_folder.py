"""From a checkpoint of the cache to a folder that stands alone."""

from collections.abc import Callable
from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.artifacts.output_folder import output_folder
from optical_cli.encoder.load import LOCAL_AND_SAFE, load_encoder, save_encoder
from optical_cli.errors import OpticalError
from optical_cli.export.card import CARD_FILE
from optical_cli.export.pylate import no_pylate_because, rewrite_for_pylate

PROBES = ("Who mends the boat at dawn, and where?", "Juma.")
SAME = 1e-6
"""Largest difference of a component between the checkpoint and what was written: the weights are the same."""


def write_folder(
    checkpoint: Path,
    target: Path,
    card: Callable[[MultiVectorEncoder, str | None], str],
    *,
    query_length: int,
    document_length: int,
    force: bool,
) -> str | None:
    """Write a checkpoint as a Hugging Face folder: the whole encoder, adapters merged, and its card.

    PyLate can load it too, where its format has words for all that the encoder does. The folder appears once it is
    complete and has been loaded again.

    Args:
        checkpoint: an encoder, or adapters on top of one, as `load_encoder` takes it.
        target: the new folder.
        card: the text of README.md, given the encoder and why PyLate cannot load it (None if it can).
        query_length: tokens of a query.
        document_length: tokens of a document.
        force: replace a model that is there.

    Returns:
        why PyLate cannot load it, or None if it can.

    Raises:
        ConfigError: the target cannot be written or holds something.
        DataError: the checkpoint holds no encoder that can be loaded.
        OpticalError: what was written gives other embeddings than the checkpoint.
    """
    encoder = load_encoder(checkpoint, query_length=query_length, document_length=document_length, device="cpu").eval()
    reason = no_pylate_because(encoder)
    with output_folder(target, force=force) as folder:
        save_encoder(encoder, folder)
        if reason is None:
            rewrite_for_pylate(encoder, folder)
        (folder / CARD_FILE).write_text(card(encoder, reason), encoding="utf-8")
        _check_same(encoder, folder)
    return reason


def _check_same(encoder: MultiVectorEncoder, folder: Path) -> None:
    """Load what was written as a user will, and compare.

    Raises:
        OpticalError: its embeddings are others.
    """
    written = MultiVectorEncoder(str(folder), device="cpu", **LOCAL_AND_SAFE).eval()
    for encode in ("encode_query", "encode_document"):
        ours, theirs = (getattr(one, encode)(list(PROBES), show_progress_bar=False) for one in (encoder, written))
        for a, b in zip(ours, theirs, strict=True):
            if a.shape != b.shape or not torch.allclose(a.float(), b.float(), rtol=0, atol=SAME):
                raise OpticalError(
                    "the exported model gives other token embeddings than its checkpoint; nothing was written: "
                    "report it with the model's modules.json"
                )
