"""Students made without training: the initial student that all trainings start from, and averages with it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import WarmStart
from optical_cli.data.bitext import Split
from optical_cli.distill.warm_start import Readers, fit_projection
from optical_cli.encoder.adapters import is_adapted, scale_adapters
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import is_multi_vector, load_encoder, project, save_encoder
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress

Trim = Callable[[MultiVectorEncoder], dict[str, Any]]
"""Trims the vocabulary of an encoder in place, and returns facts about it for the manifest."""


def copy_teacher(teacher: Path, folder: Path, setup: EncoderSetup, trim: Trim | None = None) -> dict[str, Any]:
    """Save the teacher as the initial student: one multilingual backbone for both, as in the paper.

    Args:
        teacher: folder of the encoder.
        folder: folder to write the student to.
        setup: lengths and device.
        trim: trims the student's vocabulary; None to keep all of it.

    Returns:
        facts for the manifest: `init`, and `vocabulary` with trimming.
    """
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
    """Map an encoder into the embedding space of the teacher, and save it as the initial student.

    Args:
        init: folder of the encoder that the student starts from.
        teacher: folder of the teacher.
        warm_start: how to fit the projection; None if `init` already has the embedding space of the teacher.
        bitexts: sentence pairs for the warm start, taken in turn from each bitext.
        side: the side that texts are encoded as.
        folder: folder to write the student to.
        setup: lengths, device, and the precision of encoding; weights are float32.
        progress: where progress is reported.
        trim: trims the student's vocabulary; None to keep all of it.

    Returns:
        facts for the manifest: `init`; `vocabulary`, with trimming; `warm_start`, the steps of `fit_projection`.

    Raises:
        ConfigError: without a warm start, the encoder's embeddings have other dimensions than the teacher's.
        DataError: the tokens of the two tokenizers overlap nowhere.
    """
    student = _load(init, setup)
    trimmed = {"vocabulary": trim(student)} if trim else {}
    if warm_start is None:
        teacher_encoder = _load(teacher, setup)
        found, expected = (encode_texts(e, ["a test"], side, 1)[0].shape[1] for e in (student, teacher_encoder))
        if found != expected or not is_multi_vector(init):
            raise ConfigError(
                "student.warm_start: null needs a multi-vector student of the teacher's dimensions "
                f"({expected}), found {found}; leave out student.warm_start to fit a projection"
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
    """Average the weights of a trained student and its start, and save the result (Wortsman et al. 2022, WiSE-FT).

    Source: arXiv 2109.01903.

    Args:
        trained: folder of the trained student.
        start: folder of its start.
        start_share: weight of the start, 0 to 1. Adapters are scaled by 1 - `start_share` instead.
        folder: folder to write the average to, in the form of the trained student.
        setup: lengths and device.

    Returns:
        the averaged student.

    Raises:
        DataError: a folder holds no model that can be loaded.
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
        torch.manual_seed(0)  # weights missing in the folder, such as those of an unused pooler, are random
        return load_encoder(
            folder, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
        )
