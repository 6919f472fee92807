"""The training of a student, on sentence-transformers' own trainer."""

import json
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments
from transformers import PrinterCallback, TrainerCallback

from optical_cli.config.training import Training
from optical_cli.config.transport import Transport
from optical_cli.data.split import Split
from optical_cli.distill import objectives
from optical_cli.distill.health import Guard, Health
from optical_cli.distill.held_out import HeldOut
from optical_cli.distill.idf import Idf
from optical_cli.distill.objectives import Tokens
from optical_cli.distill.schedule import Schedule
from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.encode import sides_differ
from optical_cli.encoder.load import load_encoder, save_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.encoder.side import Side
from optical_cli.errors import NotConverged
from optical_cli.progress import Advance, Progress
from optical_cli.transport import uniform_marginals, weighted_marginals

TRAINING_LOG = "training.jsonl"
DIVERGED = "the training has diverged: the student is not finite any more; lower training.learning_rate"
NO_CLIPPING = 1e9
"""The trainer reports the gradient's norm only if it clips; AdamW needs no clipping, and a clip would bind at
small reg alone, whose gradients are the larger ones."""


def train_student(
    start: Path,
    teacher: TeacherTokens,
    bitexts: Sequence[Split],
    sides: Sequence[Side],
    folder: Path,
    *,
    objective: str,
    reg: float,
    transport: Transport,
    training: Training,
    freeze_embeddings: bool,
    setup: EncoderSetup,
    precision: Resolved,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Train a student and save it beside the log of its training.

    Args:
        start: the student as initialised.
        teacher: its tokens.
        bitexts: the pairs behind the teacher's rows, bitext after bitext.
        sides: as which the student encodes the sentences.
        folder: receives the student and training.jsonl.
        objective: `transport`, `pooled_mse` or `greedy`.
        reg: of the transport; that of its last step, if it is annealed.
        freeze_embeddings: leave the word embeddings as they are.
        setup: lengths and device; its precision is that of encoding, `precision` that of the training.

    Returns:
        the health of all plans and gradients, the first and the last look at the held-out bitext, for the manifest.

    Raises:
        ConfigError: idf marginals of a teacher or student that pools its tokens.
        NotConverged: more plans than allowed missed their threshold, one has no mass, or the student is no longer
            finite.
    """
    encoder = load_encoder(
        start, query_length=setup.query_length, document_length=setup.document_length, device=setup.device
    )
    if freeze_embeddings:
        transformer: Any = encoder[0]
        transformer.model.get_input_embeddings().requires_grad_(False)
    lengths = {side: min(length, training.max_length) for side, length in setup.lengths.items()}
    alike = teacher.alike and len(set(lengths.values())) == 1 and not sides_differ(encoder)
    trained: tuple[Side, ...] = tuple(sides[:1] if alike else sides)  # a second side that is the first costs only time
    sentences, rows, held_out = _foreign_sides(bitexts, teacher)
    steps = math.ceil(math.ceil(len(sentences) / training.batch_size) * training.epochs)
    schedule = Schedule.of(reg, transport, steps) if objective == "transport" else None
    idf = None
    if schedule and transport.marginals == "idf":
        idf = Idf.of_bitext(teacher, rows, encoder, sentences, {side: lengths[side] for side in trained})
    plans = math.ceil(len(sentences) * training.epochs) * len(trained)
    guard = Guard(transport, plans, [pair for split in bitexts for pair in split.pairs], progress.say)
    loss = AlignmentLoss(encoder, teacher, trained, _objective(objective, schedule, transport), guard, idf)
    watch = HeldOut(*held_out, teacher, trained[0], setup.batch_size)
    with (
        tempfile.TemporaryDirectory() as scratch,
        (folder / TRAINING_LOG).open("w", encoding="utf-8") as log,
        progress.task(f"distill {objective}" + (f" reg {reg:g}" if schedule else ""), steps, "steps") as advance,
    ):
        diary = _Diary(loss, watch, log, steps, training, advance)
        trainer = _Trainer(
            model=encoder,
            args=_arguments(encoder, Path(scratch), training, lengths, trained, precision, seed),
            train_dataset=_dataset(sentences, rows, trained),
            loss=loss,
            callbacks=[diary],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if not all(bool(torch.isfinite(weight).all()) for weight in encoder.parameters()):
        raise NotConverged(DIVERGED)  # at the very last step
    save_encoder(encoder.to(torch.float32), folder)
    return {**loss.total.summary(), **diary.summary(), "steps": steps, "sides": list(trained)}


class _Trainer(MultiVectorEncoderTrainer):
    """The library's trainer without its model card, which would encode examples at every training."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        pass


class AlignmentLoss(torch.nn.Module):
    """The mean over the batch, and over the sides, of an objective.

    The label of a sentence is the row of its translation in the teacher's encodings, so that the teacher is not
    called while training. Tokens outside the student's scoring mask take no part: what is scored is trained.

    Args:
        model: the student.
        teacher: its tokens.
        sides: as which the student encodes the sentences.
        objective: the loss of a sentence pair.
        guard: sees every plan before the student learns from it.
        idf: weights of the tokens; None for the same mass for all.

    Attributes:
        step: of the optimizer, from 1.
        reg: that the last plans were solved with; None if there were none.
        window: health since the last line of the log.
        total: health of all steps.
    """

    def __init__(
        self,
        model: MultiVectorEncoder,
        teacher: TeacherTokens,
        sides: Sequence[Side],
        objective: objectives.Objective,
        guard: Guard,
        idf: Idf | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._teacher = teacher
        self._sides = sides
        self._objective = objective
        self._guard = guard
        self._idf = idf
        self.step = 1
        self.reg: float | None = None
        self.window = Health()
        self.total = Health()

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: torch.Tensor) -> torch.Tensor:
        """The loss of a batch: one set of features a side."""
        losses, rows = [], labels.tolist()
        for side, features in zip(self._sides, sentence_features, strict=True):
            student = self._student_tokens(features, side)
            teacher = self._teacher_tokens(rows, side, student.vectors.device)
            with torch.autocast(student.vectors.device.type, enabled=False):  # a bfloat16 cost is off by the reg itself
                aligned = self._objective(teacher, student, self.step)
            if aligned.coupling is not None and aligned.reg is not None:
                self._guard.see(aligned.coupling, rows, self.step, aligned.reg)
                self.window.add(aligned.coupling)
            self.reg = aligned.reg
            losses.append(aligned.losses.mean())
        return torch.stack(losses).mean()

    def _student_tokens(self, features: dict[str, Any], side: Side) -> Tokens:
        output = self.model(features, task=side)
        S = torch.nn.functional.normalize(output["token_embeddings"].float(), dim=-1)
        if not torch.isfinite(S).all():
            raise NotConverged(f"step {self.step}: {DIVERGED}")
        mask = output["attention_mask"].bool()
        if self._idf is None:
            return Tokens(S, mask, uniform_marginals(mask))
        return Tokens(S, mask, weighted_marginals(self._idf.student[side][output["input_ids"]], mask))

    def _teacher_tokens(self, rows: Sequence[int], side: Side, device: torch.device) -> Tokens:
        T, mask = self._teacher.batch(rows, side)
        if self._idf is None:
            mass = uniform_marginals(mask)
        else:
            mass = weighted_marginals(self._idf.of_teacher(self._teacher, rows, side), mask)
        return Tokens(T.to(device), mask.to(device), mass.to(device))

    def close_window(self) -> dict[str, Any]:
        """The health since the last call, which is added to the total."""
        summary = self.window.summary()
        self.total.merge(self.window)
        self.window = Health()
        return summary


class _Diary(TrainerCallback):
    """Tells the loss which step it is, and writes training.jsonl: a line every few steps, and every held-out look."""

    def __init__(
        self,
        loss: AlignmentLoss,
        watch: HeldOut,
        log: TextIO,
        steps: int,
        training: Training,
        advance: Advance,
    ) -> None:
        self._loss = loss
        self._watch = watch
        self._log = log
        self._advance = advance
        self._steps = steps
        looks = training.watch + 1
        self._look_at = {round(steps * look / looks) for look in range(looks + 1)}
        self._looks: list[dict[str, float]] = []
        self._grad_norms: list[float] = []
        self._first_reg: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self._look(0, kwargs["model"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self._loss.step = state.global_step + 1

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        self._advance(1)
        if state.global_step == 1:
            self._first_reg = self._loss.reg
        if state.global_step == self._steps:
            control.should_log = True  # the last steps have a line too
        if state.global_step in self._look_at:
            self._look(state.global_step, kwargs["model"])

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        logs: dict[str, float] = kwargs["logs"]
        if "loss" not in logs:
            return  # the trainer's own summary at the end: times, which a log that is to be repeated leaves out
        self._grad_norms.append(logs["grad_norm"])
        line: dict[str, Any] = {name: logs[name] for name in ("loss", "grad_norm", "learning_rate")}
        if self._loss.reg is not None:
            line["reg"] = _json_number(self._loss.reg)
        self._write({"step": state.global_step, **line, **self._loss.close_window()})

    def summary(self) -> dict[str, Any]:
        """Gradient norms over the lines of the log, reg of the first and last step, first and last held-out look."""
        found: dict[str, Any] = {
            "grad_norm": math.fsum(self._grad_norms) / len(self._grad_norms),
            "grad_norm_max": max(self._grad_norms),
        }
        if self._first_reg is not None and self._loss.reg is not None:
            found["reg"] = {"first": _json_number(self._first_reg), "last": _json_number(self._loss.reg)}
        if self._looks and self._looks[0]:
            found |= {"held_out_start": self._looks[0], "held_out_end": self._looks[-1]}
        return found

    def _look(self, step: int, student: Any) -> None:
        seen = self._watch.measure(student)
        self._looks.append(seen)
        if seen:
            self._write({"step": step, "held_out": seen})

    def _write(self, line: dict[str, Any]) -> None:
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)  # JSON has no word for inf


def _objective(name: str, schedule: Schedule | None, settings: Transport) -> objectives.Objective:
    if schedule is not None:
        return objectives.transport(schedule, settings)
    return {"pooled_mse": objectives.pooled_mse, "greedy": objectives.greedy}[name]


def _foreign_sides(
    bitexts: Sequence[Split], teacher: TeacherTokens
) -> tuple[list[str], list[int], tuple[list[str], list[int]]]:
    """Sentences to train on, the teacher's row of each, and the same of those that are only watched."""
    train: tuple[list[str], list[int]] = ([], [])
    held_out: tuple[list[str], list[int]] = ([], [])
    for split, start in zip(bitexts, teacher.starts(), strict=True):
        for row, pair in enumerate(split.pairs):
            texts, rows = train if row < len(split.train) else held_out
            texts.append(pair.foreign)
            rows.append(start + row)
    return *train, held_out


def _dataset(sentences: Sequence[str], rows: Sequence[int], sides: Sequence[Side]) -> Dataset:
    disable_progress_bar()
    columns: dict[str, list[Any]] = {side: list(sentences) for side in sides}
    return Dataset.from_dict({**columns, "label": list(rows)})


def _arguments(
    student: MultiVectorEncoder,
    scratch: Path,
    training: Training,
    lengths: Mapping[Side, int],
    sides: Sequence[Side],
    precision: Resolved,
    seed: int,
) -> MultiVectorEncoderTrainingArguments:
    limits = {str(side): length for side, length in lengths.items()}
    tasks: dict[str, str] = {side: side for side in sides}
    on_cpu = student.device.type == "cpu"
    prompts: dict[str, str] = {side: prompt for side in sides if (prompt := student.prompts.get(side))}
    return MultiVectorEncoderTrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        warmup_steps=training.warmup,  # a share of the steps when below 1
        lr_scheduler_type="linear",
        weight_decay=training.weight_decay,
        max_grad_norm=NO_CLIPPING,
        max_length=limits,
        prompts=prompts,
        router_mapping=tasks,  # the task each column is tokenized and scored as
        bf16=precision == "bfloat16",
        use_cpu=on_cpu,
        seed=seed,
        data_seed=seed,
        logging_steps=training.log_every,
        logging_nan_inf_filter=False,  # a loss that is not finite is to be seen
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=not on_cpu,
    )
