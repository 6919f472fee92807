"""Sentence pairs per second in training, compared with a plain training, and the gain of each optimization."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, cast

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from torch import Tensor
from transformers import PrinterCallback

from bench.distill.world import BATCH, LENGTH, World, make_world
from bench.peers import POT, pot_batch
from bench.results import Recorder
from bench.timing import synchronize
from optical_cli.config.student import Training
from optical_cli.config.transport import Transport
from optical_cli.data.bitext import SentencePair
from optical_cli.distill import losses
from optical_cli.distill.batch_loss import AlignmentLoss
from optical_cli.distill.health import Guard
from optical_cli.distill.losses import Aligned, Schedule, Tokens
from optical_cli.distill.teacher_tokens import TeacherTokens, encode_bitext
from optical_cli.distill.trainer import LengthBatches, StudentTrainer, plain_attention, set_dropout, trainer_arguments
from optical_cli.encoder.encode import encode_texts, pad
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.precision import Resolved, resolve_precision
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.processes import Processes
from optical_cli.progress import Silence
from optical_cli.transport import TransportProblem, cosine_cost

REG = 0.02
POT_TOLERANCE = 1e-5  # POT's default, for an L2 error: looser than our threshold, which is L1
ROUNDS = 3
SETUP = EncoderSetup(LENGTH, LENGTH, "float32", BATCH, "cpu")


@dataclass(frozen=True)
class Way:
    """A way to train, described by its optimizations."""

    name: str
    stored_teacher: bool
    our_transport: bool
    sorted_batches: bool
    precision: Resolved
    plain_attention: bool = False


def ways() -> list[Way]:
    """Return the ways from a plain training to ours; each adds one optimization to the one before."""
    half: list[Way] = []
    if resolve_precision("auto") == "bfloat16":
        half = [
            Way("bfloat16", True, True, True, "bfloat16"),
            Way("plain-attention", True, True, True, "bfloat16", plain_attention=True),
        ]
    return [
        Way("plain", False, False, False, "float32"),
        Way("our-transport", False, True, False, "float32"),
        Way("stored-teacher", True, True, False, "float32"),
        Way("batches-by-length", True, True, True, "float32"),
        *half,
    ]


def run(recorder: Recorder) -> None:
    """Train an epoch in each way, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        stored = stored_teacher(world, Path(folder) / "encodings")
        found: dict[str, list[float]] = {way.name: [] for way in ways()}
        for _ in range(ROUNDS):
            for way in ways():
                found[way.name].append(len(world.pairs) / seconds_of_epoch(world, stored, way, Path(folder)))
    plain, ours = found["plain"], found[ways()[-1].name]
    context = {"rounds": ROUNDS, "pairs": len(world.pairs), "batch": BATCH, "reg": REG, "real": world.real}
    recorder.add(
        "distill/pairs-per-second/vs-plain",
        median(our / their for our, their in zip(ours, plain, strict=True)),
        "x",
        ours=median(ours),
        peer=median(plain),
        peer_name=f"sentence-transformers' trainer, teacher called each step, {POT} ot.batch, float32",
        unit_of_both="pairs/s",
        **context,
    )
    for before, way in zip(ways(), ways()[1:], strict=False):
        recorder.add(
            f"distill/pairs-per-second/{way.name}",
            median(new / old for new, old in zip(found[way.name], found[before.name], strict=True)),
            "x",
            ours=median(found[way.name]),
            peer=median(found[before.name]),
            peer_name=before.name,
            unit_of_both="pairs/s",
            **context,
        )


def stored_teacher(world: World, folder: Path) -> TeacherTokens:
    """Encode the teacher side of the bitext."""
    folder.mkdir()
    sentences = [pair.teacher for pair in world.pairs]
    encode_bitext(sentences, world.teacher, ("query",), folder, setup=SETUP, progress=Silence())
    return TeacherTokens([folder], ("query",))


def seconds_of_epoch(world: World, stored: TeacherTokens, way: Way, folder: Path, device: str = "cpu") -> float:
    """Time an epoch, with all work of the trainer."""
    student = load_encoder(world.student, query_length=LENGTH, document_length=LENGTH, device=device)
    set_dropout(student, 0.0)
    transformer: Any = student[0]
    transformer.model.get_input_embeddings().requires_grad_(False)
    if way.plain_attention:
        plain_attention(student, LENGTH, way.precision)
    training = Training(batch_size=BATCH, learning_rate=1e-5)
    teacher = stored if way.stored_teacher else cast("TeacherTokens", _CalledTeacher(world))
    guard = Guard(Transport(on_unconverged="warn"), len(world.pairs), world.pairs, lambda _line: None)
    objective = losses.transport(Schedule(REG), Transport()) if way.our_transport else _with_pot
    loss = AlignmentLoss(student, teacher, ("query",), objective, guard)
    sentences = [pair.foreign for pair in world.pairs]
    arguments = trainer_arguments(
        student, folder, training, {"query": LENGTH}, ("query",), way.precision, 13, Processes()
    )
    disable_progress_bar()
    trainer = StudentTrainer(
        _batches(student.tokenizer, sentences, by_length=way.sorted_batches),
        model=student,
        args=arguments,
        train_dataset=Dataset.from_dict({"query": sentences, "label": list(range(len(sentences)))}),
        loss=loss,
    )
    trainer.remove_callback(PrinterCallback)
    begin = perf_counter()
    trainer.train()
    synchronize(device)
    return perf_counter() - begin


def _batches(tokenizer: Any, sentences: Sequence[str], *, by_length: bool) -> LengthBatches:
    lengths = [len(ids) for ids in tokenizer(list(sentences), truncation=True, max_length=LENGTH)["input_ids"]]
    return LengthBatches(lengths if by_length else [1] * len(lengths), BATCH)


class _CalledTeacher:
    """A teacher that encodes its sentences in every step, as in a plain training."""

    def __init__(self, world: World) -> None:
        self._pairs: Sequence[SentencePair] = world.pairs
        self._encoder = load_encoder(world.teacher, query_length=LENGTH, document_length=LENGTH, device="cpu")

    def batch(self, rows: Sequence[int], side: Side) -> tuple[Tensor, Tensor]:
        return pad(encode_texts(self._encoder, [self._pairs[row].teacher for row in rows], side, BATCH))


def _with_pot(teacher: Tokens, student: Tokens, _step: int) -> Aligned:
    C = cosine_cost(teacher.vectors, student.vectors)
    with torch.no_grad():
        plan = pot_batch(TransportProblem(C.detach(), teacher.mass, student.mass), REG, POT_TOLERANCE)
    return Aligned((plan * C).sum((1, 2)))
