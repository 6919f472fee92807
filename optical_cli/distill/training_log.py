"""The log of a training, which also decides when to measure the held-out bitext, to save and to stop."""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sentence_transformers import MultiVectorEncoder
from transformers import TrainerCallback

from optical_cli.config.student import Training
from optical_cli.distill.batch_loss import AlignmentLoss
from optical_cli.distill.health import Guard, TrainingHealth
from optical_cli.distill.held_out import HeldOut
from optical_cli.distill.savepoints import Savepoints, load_learned, read_marker, save_learned
from optical_cli.processes import Processes
from optical_cli.progress import Advance

BEST = "best.safetensors"


@dataclass(eq=False)
class TrainingLog(TrainerCallback):
    """Writes training.jsonl: a line every few steps, and a line for each measurement on the held-out bitext.

    Attributes:
        path: path of training.jsonl; resuming truncates it to its length at the savepoint.
        steps: number of steps of the whole training.
        deadline: `time.monotonic()` at which to save and stop; None for no limit.
        advance: called with the number of steps done.
        out_of_time: whether the deadline has stopped the training.
    """

    loss: AlignmentLoss
    held_out: HeldOut
    guard: Guard
    path: Path
    steps: int
    training: Training
    savepoints: Savepoints
    deadline: float | None
    processes: Processes
    advance: Advance
    out_of_time: bool = False
    _measured: list[dict[str, float]] = field(default_factory=list)
    _grad_norms: list[float] = field(default_factory=list)
    _first_reg: float | None = None
    _best: int = 0  # index in `_measured`

    def resume(self, savepoint: Path) -> None:
        """Restore the state of the log at a savepoint."""
        marker = read_marker(savepoint)
        self._measured = marker["looks"]
        self._grad_norms = marker["grad_norms"]
        self._first_reg = marker["first_reg"]
        self._best = marker["best_look"]
        self.loss.total = TrainingHealth(**marker["health"])
        self.guard.resume(**marker["guard"])
        if self.processes.first:
            with self.path.open("r+b") as log:
                log.truncate(marker["log_bytes"])
        self.advance(marker["step"])

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Begin the log with a measurement of the initial student, unless the training resumes."""
        if state.global_step == 0:
            if self.processes.first:
                self.path.write_bytes(b"")
            self._measure(0, kwargs["model"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Tell the loss the number of the step."""
        self.loss.step = state.global_step + 1

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Measure the held-out bitext if its turn has come, and decide whether to save or to stop."""
        self.advance(1)
        step = state.global_step
        if step == 1:
            self._first_reg = self.loss.reg
        if step == self.steps:
            control.should_log = True  # also if the last steps are fewer than `training.log_every`
        intervals = self.training.watch + 1
        if step in {round(self.steps * number / intervals) for number in range(intervals + 1)}:
            self._measure(step, kwargs["model"])
            control.should_training_stop |= self._has_stopped_improving()
        if step % self.training.log_every == 0 and step < self.steps:  # a line was just written: nothing is pending
            self.out_of_time = self.processes.agree(self.deadline is not None and time.monotonic() >= self.deadline)
            control.should_save = self.out_of_time or self.processes.agree(self.savepoints.due)
            control.should_training_stop |= self.out_of_time

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Write a line of the log."""
        logs: dict[str, float] = kwargs["logs"]
        if "loss" not in logs:
            return  # the trainer's summary at the end has times, which would differ between runs
        self._grad_norms.append(logs["grad_norm"])
        line: dict[str, Any] = {name: logs[name] for name in ("loss", "grad_norm", "learning_rate")}
        if self.loss.reg is not None:
            line["reg"] = _json_number(self.loss.reg)
        self._write({"step": state.global_step, **line, **self.loss.close_window(self.processes)})

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Complete a savepoint once all processes have saved their share."""
        self.processes.wait()
        if not self.processes.first:
            return
        reached = {
            "step": state.global_step,
            "log_bytes": self.path.stat().st_size,
            "looks": self._measured,
            "grad_norms": self._grad_norms,
            "first_reg": self._first_reg,
            "best_look": self._best,
            "health": asdict(self.loss.total),
            "guard": self.guard.state(),
        }
        self.savepoints.complete(state.global_step, reached)

    def restore_best(self, student: MultiVectorEncoder) -> None:
        """With early stopping, restore the weights of the student with the best held-out figure."""
        if self.training.early_stopping is not None and self._best != len(self._measured) - 1:
            load_learned(student, self.savepoints.folder / BEST)

    def summary(self) -> dict[str, Any]:
        """Return facts for the manifest: gradient norms, the first and last reg, the first and last held-out figures.

        With early stopping, the last figures are those of the best student.
        """
        norms = self._grad_norms
        found: dict[str, Any] = {"grad_norm": math.fsum(norms) / len(norms), "grad_norm_max": max(norms)}
        if self._first_reg is not None and self.loss.reg is not None:
            found["reg"] = {"first": _json_number(self._first_reg), "last": _json_number(self.loss.reg)}
        if self._measured and self._measured[0]:
            last = -1 if self.training.early_stopping is None else self._best
            found |= {"held_out_start": self._measured[0], "held_out_end": self._measured[last]}
        return found

    def _measure(self, step: int, student: MultiVectorEncoder) -> None:
        figures = self.processes.decide(lambda: self.held_out.measure(student))
        self._measured.append(figures)
        if figures:
            self._write({"step": step, "held_out": figures})
        stopping = self.training.early_stopping
        if stopping is None or not figures:
            return
        values = [each[stopping.measure] for each in self._measured]
        best = max(values) if stopping.higher_is_better else min(values)
        self._best = values.index(best)
        if self._best == len(values) - 1 and self.processes.first:
            save_learned(student, self.savepoints.folder / BEST)

    def _has_stopped_improving(self) -> bool:
        stopping = self.training.early_stopping
        return stopping is not None and len(self._measured) - 1 - self._best >= stopping.patience

    def _write(self, line: dict[str, Any]) -> None:
        if self.processes.first:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)  # JSON has no number for inf
