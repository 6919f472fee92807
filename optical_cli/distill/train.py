"""Train a student on bitexts, with the trainer of sentence-transformers."""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from sentence_transformers import MultiVectorEncoder
from transformers import PrinterCallback

from optical_cli.config.objectives import OBJECTIVES
from optical_cli.config.student import Student, Training
from optical_cli.config.transport import Transport
from optical_cli.data.bitext import Split
from optical_cli.distill.anchor import StartAnchor
from optical_cli.distill.batch_loss import DIVERGED, AlignmentLoss, Idf
from optical_cli.distill.bitext_store import BitextStore
from optical_cli.distill.health import Guard
from optical_cli.distill.held_out import HeldOut
from optical_cli.distill.losses import LOSSES, Schedule
from optical_cli.distill.savepoints import Savepoints
from optical_cli.distill.stored_states import StoredStates
from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.distill.trainer import (
    LengthBatches,
    StudentTrainer,
    plain_attention,
    recompute_activations,
    set_dropout,
    trainer_arguments,
)
from optical_cli.distill.training_log import TrainingLog
from optical_cli.encoder.adapters import add_adapters
from optical_cli.encoder.encode import sides_differ
from optical_cli.encoder.layers import UpperLayers
from optical_cli.encoder.load import load_encoder, save_student
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError, NotConverged, OutOfTime
from optical_cli.processes import Processes
from optical_cli.progress import Progress
from optical_cli.transport.solvers import format_reg

TRAINING_LOG = "training.jsonl"
SOUND_P_AT_1 = 0.3
"""Held-out P@1 below which a training is doubted: .12 and .14 with swapped columns or models, .80 on the same data."""
FEWEST_HELD_OUT = 20
"""Held-out pairs below which P@1 is too high by chance to tell."""


def train_student(
    start: Path,
    teacher: TeacherTokens,
    bitexts: Sequence[Split],
    sides: Sequence[Side],
    folder: Path,
    *,
    unfinished: Path,
    objective: str,
    reg: float,
    transport: Transport,
    training: Training,
    student: Student,
    states: BitextStore | None,
    setup: EncoderSetup,
    precision: Resolved,
    seed: int,
    deadline: float | None,
    processes: Processes,
    progress: Progress,
) -> dict[str, Any]:
    """Train a student and save it in `folder`, beside the log of its training.

    Args:
        start: folder of the initial student.
        teacher: the teacher's encodings of the bitexts.
        bitexts: sentence pairs, in the order of the teacher's encodings.
        sides: sides to train; a second side that would encode texts like the first is left out.
        folder: folder to write the student to.
        unfinished: folder for savepoints, which outlives a kill. If it has a savepoint, the training resumes there and
            ends with the same student.
        objective: name of the objective.
        reg: strength of the regularization in units of the cost; with annealing, that of the last step.
        transport: settings of the solver, the marginals and annealing.
        training: settings of the optimizer, the batches and the log.
        student: which layers to train, and whether adapters in place of the weights.
        states: states of the foreign sentences that enter the upper layers; None if all layers are trained.
        setup: lengths, batch size of encoding, and device.
        precision: precision of the training.
        seed: seed of batches, dropout and adapters.
        deadline: `time.monotonic()` at which to save and stop; None for no limit.
        processes: the processes that train together, each on a share of every batch; the first writes.
        progress: where progress is reported.

    Returns:
        facts for the manifest: health of all plans and gradients, figures of the held-out bitext at start and end.

    Raises:
        ConfigError: idf marginals with a teacher or student that pools its tokens, or fewer sentences in a batch than
            processes.
        NotConverged: more plans than tolerated missed the threshold, a plan has no mass, or the student is not finite.
        OutOfTime: the deadline has passed.
    """
    encoder = _load(start, setup)
    lengths = {side: min(length, training.max_length) for side, length in setup.lengths.items()}
    stored = _prepare(encoder, training, student, states)
    plain_attention(encoder, max(lengths.values()), precision)
    if student.adapters is not None:
        add_adapters(encoder, student.adapters, seed, within=stored.upper.names if stored else ())
    alike = teacher.alike and len(set(lengths.values())) == 1 and not sides_differ(encoder)
    trained: tuple[Side, ...] = tuple(sides[:1] if alike else sides)
    sentences = [pair.foreign for split in bitexts for pair in split.train]
    begins = zip(bitexts, teacher.starts(), strict=True)
    rows = [start + row for split, start in begins for row in range(len(split.train))]
    batches = _batches(encoder, sentences, lengths[trained[0]], training, seed, processes)
    steps = math.ceil(batches.batches * training.epochs)
    has_reg = OBJECTIVES[objective].has_reg
    idf = None
    if has_reg and transport.marginals == "idf":
        idf = Idf.of_bitext(teacher, rows, encoder, sentences, {side: lengths[side] for side in trained})
    plans = math.ceil(len(sentences) * training.epochs) * len(trained)
    guard = Guard(
        transport, plans // processes.count, [pair for split in bitexts for pair in split.pairs], progress.say
    )
    loss_of_objective = LOSSES[objective](Schedule.of(reg, transport, steps), transport)
    anchor = _anchor(start, setup, max(lengths.values()), precision, training, student, states)
    loss = AlignmentLoss(encoder, teacher, trained, loss_of_objective, guard, idf, stored, anchor)
    unfinished.mkdir(parents=True, exist_ok=True)
    savepoints, path = Savepoints(unfinished, training.save_every), unfinished / TRAINING_LOG
    held_out = HeldOut.of(bitexts, teacher, trained[0], setup.batch_size)
    disable_progress_bar()
    columns: dict[str, Any] = dict.fromkeys(trained, sentences)
    data = Dataset.from_dict({**columns, "label": rows})
    name = f"distill {objective}" + (f" reg {format_reg(reg)}" if has_reg else "")
    with progress.task(name, steps, "steps") as advance:
        log = TrainingLog(loss, held_out, guard, path, steps, training, savepoints, deadline, processes, advance)
        args = trainer_arguments(encoder, unfinished, training, lengths, trained, precision, seed, processes)
        trainer = StudentTrainer(batches, model=encoder, args=args, train_dataset=data, loss=loss, callbacks=[log])
        trainer.remove_callback(PrinterCallback)
        savepoint = processes.decide(savepoints.newest)
        if savepoint is not None:
            progress.say(f"{name}: resumes from {savepoint.name.replace('checkpoint-', 'step ')} of {steps}")
            log.resume(savepoint)
        trainer.train(resume_from_checkpoint=str(savepoint) if savepoint else None)
    if log.out_of_time:
        raise OutOfTime(
            f"{name}: out of time at step {trainer.state.global_step} of {steps}; run the same command to resume there"
        )
    if not all(bool(torch.isfinite(weight).all()) for weight in encoder.parameters()):
        raise NotConverged(DIVERGED)  # in the last step; the loss checks all others
    log.restore_best(encoder)
    if processes.first:
        save_student(encoder.to(torch.float32), folder, start)
        shutil.copy(path, folder / TRAINING_LOG)
        _say_what_was_learned(name, log.summary(), sum(len(one.held_out) for one in bitexts), progress.say)
    ran = {"steps": trainer.state.global_step, "sides": list(trained), "processes": processes.count}
    return loss.total.summary() | log.summary() | ran


def _say_what_was_learned(name: str, summary: Mapping[str, Any], held_out: int, say: Callable[[str], None]) -> None:
    """Say P@1 on the held-out bitext at start and end, and warn of a training that looks as if it had failed."""
    if "held_out_end" not in summary:
        return
    start, end = (summary[look]["p@1"] for look in ("held_out_start", "held_out_end"))
    say(f"{name}: held-out P@1 {start:.3f} at the start, {end:.3f} at the end")
    doubt = "check that the columns of the bitext, and teacher and student, are not swapped"
    if held_out < FEWEST_HELD_OUT:
        return
    if end < SOUND_P_AT_1:
        say(
            f"warning: {name}: {end:.1%} of {held_out} held-out sentences find their translation first; so few suggest "
            f"a fault: {doubt}"
        )
    elif end < start:
        fell = f"held-out P@1 fell from {start:.3f} to {end:.3f}"
        say(f"warning: {name}: {fell}; lower training.learning_rate, or {doubt}")


def _load(start: Path, setup: EncoderSetup) -> MultiVectorEncoder:
    lengths = {"query_length": setup.query_length, "document_length": setup.document_length}
    return load_encoder(start, **lengths, device=setup.device)


def _stored(encoder: MultiVectorEncoder, student: Student, states: BitextStore | None) -> StoredStates | None:
    """Return the upper layers of an encoder with the states that enter them, if only these are trained."""
    if states is None or student.train_layers == "all":
        return None
    return StoredStates(UpperLayers(encoder, student.train_layers), states)


def _anchor(
    start: Path,
    setup: EncoderSetup,
    longest: int,
    precision: Resolved,
    training: Training,
    student: Student,
    states: BitextStore | None,
) -> StartAnchor | None:
    """Return the anchor of the training, which runs the start as the student is run; None without one."""
    if training.anchor is None:
        return None
    encoder = _load(start, setup)
    plain_attention(encoder, longest, precision)
    return StartAnchor(encoder, training.anchor.weight, _stored(encoder, student, states))


def _prepare(
    encoder: MultiVectorEncoder, training: Training, student: Student, states: BitextStore | None
) -> StoredStates | None:
    """Freeze what is not trained, and return the upper layers with the states that enter them, if only they are."""
    transformer: Any = encoder[0]
    stored = _stored(encoder, student, states)
    if stored is not None:
        stored.upper.freeze_others()
    if student.freeze_embeddings:
        transformer.model.get_input_embeddings().requires_grad_(False)
    if (pooler := getattr(transformer.model, "pooler", None)) is not None:
        pooler.requires_grad_(False)  # it is unused, and several processes would wait for its gradients
    if training.dropout is not None:
        set_dropout(encoder, training.dropout)
    if training.recompute:
        recompute_activations(encoder)
    return stored


def _batches(
    encoder: MultiVectorEncoder,
    sentences: Sequence[str],
    longest: int,
    training: Training,
    seed: int,
    processes: Processes,
) -> LengthBatches:
    shares = processes.count * training.accumulate
    if min(training.batch_size, len(sentences)) < shares:
        raise ConfigError(
            f"training.batch_size: at least {shares} expected, one pair for each of {processes.count} processes times "
            f"training.accumulate {training.accumulate}, found {training.batch_size}, with {len(sentences)} pairs"
        )
    encoded = encoder.tokenizer(list(sentences), truncation=True, max_length=longest)["input_ids"]
    share = {"rank": processes.rank, "processes": processes.count, "parts": training.accumulate}
    lengths = [len(ids) for ids in encoded]
    return LengthBatches(lengths, training.batch_size, tokens=training.batch_tokens, seed=seed, **share)
