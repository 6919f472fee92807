"""The student as initialised: what every training starts from, and the baseline `none`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import WarmStart
from optical_cli.distill.warm_start import ridge_projection
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import is_multi_vector, load_encoder, project, save_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.encoder.side import Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress


def copy_teacher(teacher: Path, folder: Path, setup: EncoderSetup) -> dict[str, Any]:
    """Save the teacher as the student: one multilingual backbone, as in the paper."""
    save_encoder(_load(teacher, setup), folder)
    return {"init": "teacher"}


def start_student(
    init: Path,
    teacher: Path,
    warm_start: WarmStart | None,
    sentences: Sequence[str],
    side: Side,
    folder: Path,
    *,
    setup: EncoderSetup,
    progress: Progress,
) -> dict[str, Any]:
    """Bring another encoder into the teacher's space and save it.

    Args:
        init: the encoder's folder.
        teacher: the teacher's.
        warm_start: how; None for an encoder that lives in the teacher's space already.
        sentences: in the teacher's language, for the warm start.
        side: as which they are encoded.
        folder: receives the student.
        setup: lengths and device; the weights stay in float32, whatever its precision.

    Raises:
        ConfigError: without a warm start the encoder's embeddings have other dimensions than the teacher's.
    """
    teacher_encoder = _load(teacher, setup)
    student = _load(init, setup)
    if warm_start is None:
        found, expected = (encode_texts(e, ["a test"], side, 1)[0].shape[1] for e in (student, teacher_encoder))
        if found != expected or not is_multi_vector(init):
            raise ConfigError(
                "student.warm_start: null needs a multi-vector student of the teacher's dimensions "
                f"({expected}), found {found}; leave student.warm_start out to have a projection fitted"
            )
        save_encoder(student, folder)
        return {"init": init.name}
    seen = sentences[: warm_start.sentences]
    weight = ridge_projection(student, teacher_encoder, seen, side, warm_start.ridge, progress)
    save_encoder(project(student, weight.to(student.device)), folder)
    return {"init": init.name, "warm_start_sentences": len(seen)}


def _load(folder: Path, setup: EncoderSetup) -> MultiVectorEncoder:
    return load_encoder(
        folder, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
    )
