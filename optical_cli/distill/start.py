"""Students that are not trained: as initialised, the start of every training, or averaged with their start."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import WarmStart
from optical_cli.data.bitext import Split
from optical_cli.distill.warm_start import Readers, fit_projection
from optical_cli.encoder.adapters import is_adapted, scale_adapters
from optical_cli.encoder.encode import encode_texts, open_encoder
from optical_cli.encoder.load import is_multi_vector, load_encoder, project, save_encoder
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress

Trim = Callable[[MultiVectorEncoder], dict[str, Any]]
"""Cuts down the vocabulary of an encoder, in place, and returns by how much."""


def copy_teacher(teacher: Path, folder: Path, setup: EncoderSetup, trim: Trim | None = None) -> dict[str, Any]:
    """Save the teacher as the student: one multilingual backbone, as in the paper."""
    student = _load(teacher, setup)
    trimmed = {"vocabulary": trim(student)} if trim else {}
    save_encoder(student, folder)
    return {"init": "teacher", **trimmed}


def start_student(
    init: Path,
    teacher: Path,
    warm_start: WarmStart | None,
    bitexts: Sequence[Split],
    side: Side,
    folder: Path,
    *,
    setup: EncoderSetup,
    progress: Progress,
    trim: Trim | None = None,
) -> dict[str, Any]:
    """Bring another encoder, `init`, into the teacher's space and save it in `folder`.

    Args:
        warm_start: None for an encoder that lives in the teacher's space already.
        bitexts: for the warm start; those of several languages take turns.
        setup: its precision is that which the warm start encodes in; the weights stay in float32.
        trim: cuts down the student's vocabulary; None keeps all of it.

    Returns:
        for the manifest: `vocabulary`, what trimming did; `warm_start`, the steps of `fit_projection`.

    Raises:
        ConfigError: without a warm start the encoder's embeddings have other dimensions than the teacher's.
        DataError: no token of the two tokenizers overlaps.
    """
    student = _load(init, setup)
    trimmed = {"vocabulary": trim(student)} if trim else {}
    if warm_start is None:
        teacher_encoder = _load(teacher, setup)
        found, expected = (encode_texts(e, ["a test"], side, 1)[0].shape[1] for e in (student, teacher_encoder))
        if found != expected or not is_multi_vector(init):
            raise ConfigError(
                "student.warm_start: null needs a multi-vector student of the teacher's dimensions "
                f"({expected}), found {found}; leave student.warm_start out to have a projection fitted"
            )
        save_encoder(student, folder)
        return {"init": init.name, **trimmed}
    readers = Readers(open_encoder(init, setup), open_encoder(teacher, setup), side, setup.batch_size, progress)
    W, steps = fit_projection(readers, warm_start, bitexts)
    save_encoder(project(student, W.to(student.device)), folder)
    return {"init": init.name, **trimmed, "warm_start": steps}


def average_student(
    trained: Path, start: Path, start_share: float, folder: Path, setup: EncoderSetup
) -> MultiVectorEncoder:
    """Save and return the weighted mean of a trained student and its start (Wortsman et al. 2022, arXiv 2109.01903).

    `start_share`, 0 to 1, is the weight of the start; with adapters, what they add to it is scaled by the rest. The
    mean goes into `folder`, beside the trained student and in its form.

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
    with torch.random.fork_rng():
        torch.manual_seed(0)  # weights that the folder does not hold, such as those of an unused pooler, are drawn
        return load_encoder(
            folder, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
        )
