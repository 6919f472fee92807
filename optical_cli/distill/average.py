"""A trained student averaged with its start, weight by weight."""

from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.encoder.adapters import is_adapted, scale_adapters
from optical_cli.encoder.load import load_encoder, save_encoder
from optical_cli.encoder.setup import EncoderSetup


def average_student(
    trained: Path, start: Path, start_share: float, folder: Path, setup: EncoderSetup
) -> MultiVectorEncoder:
    """Save the weighted mean of a trained student and its start (Wortsman et al. 2022, arXiv 2109.01903).

    Of adapters, what they add to the weights of the start becomes 1 - start_share of what it was.

    Args:
        trained: the checkpoint of the student.
        start: the artifact that its training began with.
        start_share: what the start has in the mean, 0 to 1.
        folder: receives the mean, in the form of the trained one and beside it.
        setup: lengths and device.

    Returns:
        the mean.

    Raises:
        DataError: one of them holds no model that can be loaded.
    """
    beginning = _load(start, setup)
    if is_adapted(trained):
        scale_adapters(trained, folder, 1 - start_share, beginning)
        return _load(folder, setup)
    student, weights = _load(trained, setup), dict(beginning.named_parameters())
    with torch.no_grad():
        for name, weight in student.named_parameters():
            weight.lerp_(weights[name], start_share)
    save_encoder(student, folder)
    return student


def _load(folder: Path, setup: EncoderSetup) -> MultiVectorEncoder:
    return load_encoder(
        folder, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
    )
