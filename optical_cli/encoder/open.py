"""Opens encoders with the lengths, precision, device and vocabulary of a setup."""

from pathlib import Path

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.encoder.vocabulary import restore_vocabulary


def open_encoder(folder: Path, setup: EncoderSetup) -> MultiVectorEncoder:
    """Load an encoder with the lengths, device, precision and vocabulary of a setup.

    Raises:
        DataError: the folder has no model with weights in safetensors that can be loaded.
        CacheError: it has adapters, and the weights they are added to are missing.
    """
    lengths = {"query_length": setup.query_length, "document_length": setup.document_length}
    encoder = load_encoder(folder, **lengths, device=setup.device)
    if setup.vocabulary is not None:
        restore_vocabulary(encoder, load_encoder(setup.vocabulary, **lengths, device="cpu"))
    return encoder.to(torch.bfloat16 if setup.precision == "bfloat16" else torch.float32)
