"""The log of a training, and what is decided along it: when to measure, to save and to stop."""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sentence_transformers import MultiVectorEncoder
from transformers import TrainerCallback

from optical_cli.config.student import Training
from optical_cli.distill.health import Guard, TrainingHealth
from optical_cli.distill.held_out import HeldOut
from optical_cli.distill.loss import AlignmentLoss
from optical_cli.distill.savepoints import Savepoints, load_learned, read_marker, save_learned
from optical_cli.processes import Processes
from optical_cli.progress import Advance

BEST = "best.safetensors"


@dataclass(eq=False)
class TrainingLog(TrainerCallback):
    """Writes training.jsonl, a line every few steps and one for each look at the held-out bitext.

    Attributes:
        path: of training.jsonl; resuming cuts it back to where the savepoint was.
        deadline: `time.monotonic()` at which to save and stop; None for never.
        out_of_time: whether the deadline has stopped the training.
    """

    loss: AlignmentLoss
    watch: HeldOut
    guard: Guard
    path: Path
    steps: int
    training: Training
    savepoints: Savepoints
    deadline: float | None
    processes: Processes
    advance: Advance
    out_of_time: bool = False
    _looks: list[dict[str, float]] = field(default_factory=list)
    _grad_norms: list[float] = field(default_factory=list)
    _first_reg: float | None = None
    _best_look: int = 0

    def resume(self, savepoint: Path) -> None:
        """Go on from where a savepoint was."""
        marker = read_marker(savepoint)
        self._looks = marker["looks"]
        self._grad_norms = marker["grad_norms"]
        self._first_reg = marker["first_reg"]
        self._best_look = marker["best_look"]
        self.loss.total = TrainingHealth(**marker["health"])
        self.guard.resume(**marker["guard"])
        if self.processes.first:
            with self.path.open("r+b") as log:
                log.truncate(marker["log_bytes"])
        self.advance(marker["step"])

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Begin the log with a look at the start, unless the training resumes."""
        if state.global_step == 0:
            if self.processes.first:
                self.path.write_bytes(b"")
            self._look(0, kwargs["model"])

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Set the step of the loss."""
        self.loss.step = state.global_step + 1

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Look at the held-out bitext, and decide whether to save or to stop."""
        self.advance(1)
        step = state.global_step
        if step == 1:
            self._first_reg = self.loss.reg
        if step == self.steps:
            control.should_log = True  # the last steps have a line too
        looks = self.training.watch + 1
        if step in {round(self.steps * look / looks) for look in range(looks + 1)}:
            self._look(step, kwargs["model"])
            control.should_training_stop |= self._has_stopped_improving()
        if step % self.training.log_every == 0 and step < self.steps:  # between two lines nothing is pending
            self.out_of_time = self.processes.agree(self.deadline is not None and time.monotonic() >= self.deadline)
            control.should_save = self.out_of_time or self.processes.agree(self.savepoints.due)
            control.should_training_stop |= self.out_of_time

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Write a line of the log."""
        logs: dict[str, float] = kwargs["logs"]
        if "loss" not in logs:
            return  # the trainer's own summary at the end: times, which a repeatable log leaves out
        self._grad_norms.append(logs["grad_norm"])
        line: dict[str, Any] = {name: logs[name] for name in ("loss", "grad_norm", "learning_rate")}
        if self.loss.reg is not None:
            line["reg"] = _json_number(self.loss.reg)
        self._write({"step": state.global_step, **line, **self.loss.close_window(self.processes)})

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Complete a savepoint once each process has saved its share."""
        self.processes.wait()
        if not self.processes.first:
            return
        reached = {
            "step": state.global_step,
            "log_bytes": self.path.stat().st_size,
            "looks": self._looks,
            "grad_norms": self._grad_norms,
            "first_reg": self._first_reg,
            "best_look": self._best_look,
            "health": asdict(self.loss.total),
            "guard": self.guard.state(),
        }
        self.savepoints.complete(state.global_step, reached)

    def restore_best(self, student: MultiVectorEncoder) -> None:
        """Go back to the student of the best look, if early stopping is on."""
        if self.training.early_stopping is not None and self._best_look != len(self._looks) - 1:
            load_learned(student, self.savepoints.folder / BEST)

    def summary(self) -> dict[str, Any]:
        """Gradient norms over the lines of the log, reg of the first and last step, first and last held-out look."""
        norms = self._grad_norms
        found: dict[str, Any] = {"grad_norm": math.fsum(norms) / len(norms), "grad_norm_max": max(norms)}
        if self._first_reg is not None and self.loss.reg is not None:
            found["reg"] = {"first": _json_number(self._first_reg), "last": _json_number(self.loss.reg)}
        if self._looks and self._looks[0]:
            last = -1 if self.training.early_stopping is None else self._best_look
            found |= {"held_out_start": self._looks[0], "held_out_end": self._looks[last]}
        return found

    def _look(self, step: int, student: MultiVectorEncoder) -> None:
        seen = self.processes.decide(lambda: self.watch.measure(student))
        self._looks.append(seen)
        if seen:
            self._write({"step": step, "held_out": seen})
        stopping = self.training.early_stopping
        if stopping is None or not seen:
            return
        values = [look[stopping.measure] for look in self._looks]
        best = max(values) if stopping.higher_is_better else min(values)
        self._best_look = values.index(best)
        if self._best_look == len(values) - 1 and self.processes.first:
            save_learned(student, self.savepoints.folder / BEST)

    def _has_stopped_improving(self) -> bool:
        stopping = self.training.early_stopping
        return stopping is not None and len(self._looks) - 1 - self._best_look >= stopping.patience

    def _write(self, line: dict[str, Any]) -> None:
        if self.processes.first:
            with self.path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)  # JSON has no word for inf
