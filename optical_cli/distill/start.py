"""The student as initialised: what every training starts from, and the baseline `none`."""

import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import WarmStart
from optical_cli.data.bitext import SentencePair
from optical_cli.data.split import Split
from optical_cli.distill.held_out import translation_figures
from optical_cli.distill.refine import TokenPairs, refine_projection
from optical_cli.distill.states import read_texts
from optical_cli.distill.warm_start import overlap_moments
from optical_cli.encoder.encode import encode_texts, open_encoder
from optical_cli.encoder.load import is_multi_vector, load_encoder, project, save_encoder
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress

Trim = Callable[[MultiVectorEncoder], dict[str, Any]]
"""Cuts down the vocabulary of an encoder, in place, and says by how much."""


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
    """Bring another encoder into the teacher's space and save it.

    Args:
        init: the encoder's folder.
        teacher: the teacher's.
        warm_start: how; None for an encoder that lives in the teacher's space already.
        bitexts: for the warm start; those of several languages take turns.
        side: as which sentences are encoded.
        folder: receives the student.
        setup: lengths, device, and the precision that the warm start encodes in; the weights stay in float32.
        trim: cuts down the student's vocabulary; None keeps all of it.

    Returns:
        for the manifest: `vocabulary`, what trimming did; `warm_start`, an entry for the ridge regression and one for
        each refinement, in their order, with what it saw, its seconds, the health of its plans and its figures on the
        held-out pairs.

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
    readers = _Readers(open_encoder(init, setup), open_encoder(teacher, setup), side, setup.batch_size, progress)
    W, steps = _fit(readers, warm_start, bitexts)
    save_encoder(project(student, W.to(student.device)), folder)
    return {"init": init.name, **trimmed, "warm_start": steps}


class _Readers:
    """Student and teacher as the warm start reads them.

    Args:
        student, teacher: in the precision of encoding.
        side: as which they read.
        batch_size: sentences a batch.
        progress: hears of every chunk.
    """

    def __init__(
        self, student: MultiVectorEncoder, teacher: MultiVectorEncoder, side: Side, batch_size: int, progress: Progress
    ) -> None:
        self.student = student
        self.teacher = teacher
        self.side = side
        self.batch_size = batch_size
        self.progress = progress

    def token_pairs(self, pairs: Sequence[SentencePair]) -> TokenPairs:
        """The tokens of both sides."""
        states: list[torch.Tensor] = []
        with self.progress.task("warm start: reading bitext", len(pairs), "pairs") as advance:
            foreign = [pair.foreign for pair in pairs]
            for chunk in read_texts(self.student, foreign, self.side, self.batch_size, projected=False):
                states += [text.vectors[text.scored] for text in chunk]
                advance(len(chunk))
        return TokenPairs(
            states, encode_texts(self.teacher, [pair.teacher for pair in pairs], self.side, self.batch_size)
        )


def _fit(readers: _Readers, settings: WarmStart, bitexts: Sequence[Split]) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """The projection (teacher dimensions, student dimensions), and what was done for it, step by step."""
    held_out = readers.token_pairs([pair for split in bitexts for pair in split.held_out])
    pairs = _in_turn([split.train for split in bitexts])
    steps: list[dict[str, Any]] = []

    def done(began: float, W: torch.Tensor, **what: Any) -> None:
        seconds = round(time.perf_counter() - began, 3)
        steps.append(
            {**what, "seconds": seconds, "held_out": translation_figures(held_out.teacher, held_out.projected(W))}
        )

    began = time.perf_counter()
    sentences = list(dict.fromkeys(pair.teacher for pair in pairs))[: settings.sentences]
    known = overlap_moments(
        readers.student, readers.teacher, sentences, readers.side, readers.batch_size, readers.progress
    )
    W = known.projection(settings.ridge)
    done(began, W, step="ridge", ridge=settings.ridge, sentences=len(sentences), paired_tokens=known.count)
    if not settings.refinements:
        return W, steps
    began = time.perf_counter()
    seen = readers.token_pairs(pairs[: settings.pairs])
    for _ in range(settings.refinements):
        W, health = refine_projection(W, known, seen, reg=settings.reg, ridge=settings.ridge, progress=readers.progress)
        done(began, W, step="refinement", reg=settings.reg, pairs=len(seen.states), **health)
        began = time.perf_counter()
    return W, steps


def _in_turn(bitexts: Sequence[Sequence[SentencePair]]) -> list[SentencePair]:
    """The pairs of several bitexts, one of each at a time."""
    return [pair for row in zip_longest(*bitexts) for pair in row if pair is not None]


def _load(folder: Path, setup: EncoderSetup) -> MultiVectorEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)  # weights that the folder does not hold, such as those of an unused pooler, are drawn
        return load_encoder(
            folder, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
        )
