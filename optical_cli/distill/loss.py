"""The loss of a batch of sentence pairs, as sentence-transformers' trainer asks for it."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.distill import objectives
from optical_cli.distill.health import Guard, Health
from optical_cli.distill.idf import Idf
from optical_cli.distill.objectives import Tokens
from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.setup import Side
from optical_cli.errors import NotConverged
from optical_cli.processes import Processes
from optical_cli.transport import uniform_marginals, weighted_marginals

DIVERGED = "the training has diverged: the student is not finite any more; lower training.learning_rate"


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
            losses.append(_mean_of_all_processes(aligned.losses))
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

    def close_window(self, processes: Processes) -> dict[str, Any]:
        """The health since the last call, of all processes, which is added to the total."""
        window = Health()
        for share in processes.gather(self.window):
            window.merge(share)
        self.total.merge(window)
        self.window = Health()
        return window.summary()


def _mean_of_all_processes(losses: torch.Tensor) -> torch.Tensor:
    """What, averaged over the processes as their gradients are, is the mean over the sentence pairs of all of them."""
    if not torch.distributed.is_initialized():
        return losses.mean()
    pairs = torch.tensor(float(len(losses)), device=losses.device)
    torch.distributed.all_reduce(pairs)
    return losses.sum() * torch.distributed.get_world_size() / pairs
