"""The loss of a batch of sentence pairs, as a module for the trainer of sentence-transformers."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Self

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.distill.anchor import StartAnchor, distance
from optical_cli.distill.health import Guard, TrainingHealth
from optical_cli.distill.losses import Loss, Tokens
from optical_cli.distill.stored_states import StoredStates
from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.encode import pools_tokens, scored_ids
from optical_cli.encoder.setup import Side
from optical_cli.errors import ConfigError, NotConverged
from optical_cli.processes import Processes
from optical_cli.transport import idf_weights, uniform_marginals, weighted_marginals

DIVERGED = "the training has diverged: the student is no longer finite; lower training.learning_rate"


@dataclass(frozen=True, eq=False)
class Idf:
    """Inverse document frequencies of tokens, for each trained side.

    Attributes:
        teacher: (vocabulary of the teacher,) weights by token id.
        student: (vocabulary of the student,) weights by token id.
    """

    teacher: Mapping[Side, torch.Tensor]
    student: Mapping[Side, torch.Tensor]

    @classmethod
    def of_bitext(
        cls,
        teacher: TeacherTokens,
        rows: Sequence[int],
        student: MultiVectorEncoder,
        sentences: Sequence[str],
        lengths: Mapping[Side, int],
    ) -> Self:
        """Count in how many sentences of a bitext each token occurs, among the tokens that MaxSim scores.

        Args:
            teacher: the teacher's encodings.
            rows: the rows of these encodings that are trained on.
            student: its tokenizer gives the ids of the foreign tokens.
            sentences: the foreign sentences that are trained on.
            lengths: maximum number of tokens of a sentence, for each trained side.

        Raises:
            ConfigError: the teacher or the student pools its tokens.
        """
        if any(pools_tokens(student, side) for side in lengths):
            raise ConfigError(
                "transport.marginals: idf needs a token for each embedding, and the student pools its tokens; "
                "choose uniform"
            )
        transformer: Any = student[0]
        vocabulary = transformer.model.get_input_embeddings().num_embeddings
        of_teacher, of_student = {}, {}
        for side, length in lengths.items():
            ids = [teacher.ids(row, side) for row in rows]
            of_teacher[side] = idf_weights(ids, 1 + max(int(of_text.max()) for of_text in ids))
            student_ids = scored_ids(student, sentences, side, length)
            of_student[side] = idf_weights(student_ids, vocabulary).to(student.device)
        return cls(of_teacher, of_student)

    def of_teacher(self, teacher: TeacherTokens, rows: Sequence[int], side: Side) -> torch.Tensor:
        """Look up the weights of the teacher's tokens of a batch: (rows, longest), 0 on padding."""
        weights = [self.teacher[side][torch.from_numpy(teacher.ids(row, side).astype(int))] for row in rows]
        return torch.nn.utils.rnn.pad_sequence(weights, batch_first=True)


class AlignmentLoss(torch.nn.Module):
    """The mean of an objective over the sentence pairs of a batch and over the trained sides.

    The label of a sentence is the row of its translation in the teacher's encodings, so that training does not run the
    teacher. Only the tokens that MaxSim scores are trained. Marginals are uniform without `idf`. With `states`, the
    student runs from the stored states of the sentences, which have the rows of their translations. An `anchor` adds
    the distance of the student's tokens from it.

    Attributes:
        step: current step of the optimizer, from 1.
        reg: reg of the last plans; None if the objective has no plans.
        window: health of the plans, and distance from the anchor, since the last line of the log.
        total: those of all steps before `window`.
    """

    def __init__(
        self,
        model: MultiVectorEncoder,
        teacher: TeacherTokens,
        sides: Sequence[Side],
        objective: Loss,
        guard: Guard,
        idf: Idf | None = None,
        states: StoredStates | None = None,
        anchor: StartAnchor | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._teacher = teacher
        self._sides = sides
        self._objective = objective
        self._guard = guard
        self._idf = idf
        self._states = states
        self._anchor = anchor
        self.step = 1
        self.reg: float | None = None
        self.window = TrainingHealth()
        self.total = TrainingHealth()

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: torch.Tensor) -> torch.Tensor:
        """Compute the loss of a batch, from the features of its foreign sentences for each side."""
        losses, rows = [], labels.tolist()
        for side, features in zip(self._sides, sentence_features, strict=True):
            anchor = self._anchor.tokens(features, rows, side) if self._anchor else None
            student = self._student_tokens(features, rows, side)
            teacher = self._teacher_tokens(rows, side, student.vectors.device)
            with torch.autocast(student.vectors.device.type, enabled=False):  # bfloat16 rounds costs by more than a reg
                aligned = self._objective(teacher, student, self.step)
            if aligned.coupling is not None and aligned.reg is not None:
                self._guard.check(aligned.coupling, rows, self.step, aligned.reg)
                self.window.add(aligned.coupling)
            self.reg = aligned.reg
            losses.append(_mean_of_all_processes(aligned.losses + self._apart(student, anchor)))
        return torch.stack(losses).mean()

    def _apart(self, student: Tokens, anchor: torch.Tensor | None) -> torch.Tensor | float:
        """Return the weighted distance of the student's tokens from the anchor, (pairs,); 0 without one."""
        if self._anchor is None or anchor is None:
            return 0.0
        apart = distance(student, anchor)
        self.window.merge(TrainingHealth(anchored=len(apart), apart=float(apart.detach().sum())))
        return self._anchor.weight * apart

    def _student_tokens(self, features: dict[str, Any], rows: Sequence[int], side: Side) -> Tokens:
        with self._states.reading(rows, side, features) if self._states else nullcontext():
            output = self.model(features, task=side)
        S = torch.nn.functional.normalize(output["token_embeddings"].float(), dim=-1)
        if not torch.isfinite(S).all():
            raise NotConverged(f"step {self.step}: {DIVERGED}")
        mask = output["attention_mask"].bool()
        if self._idf is None:
            return Tokens(S, mask, uniform_marginals(mask))
        weights = self._idf.student[side].to(S.device)  # of several processes, each has a GPU of its own
        return Tokens(S, mask, weighted_marginals(weights[output["input_ids"]], mask))

    def _teacher_tokens(self, rows: Sequence[int], side: Side, device: torch.device) -> Tokens:
        T, mask = self._teacher.batch(rows, side)
        if self._idf is None:
            mass = uniform_marginals(mask)
        else:
            mass = weighted_marginals(self._idf.of_teacher(self._teacher, rows, side), mask)
        return Tokens(T.to(device), mask.to(device), mass.to(device))

    def close_window(self, processes: Processes) -> dict[str, Any]:
        """Return the health of the plans since the last call, over all processes, and add it to the total."""
        window = TrainingHealth()
        for of_process in processes.gather(self.window):
            window.merge(of_process)
        self.total.merge(window)
        self.window = TrainingHealth()
        return window.summary()


def _mean_of_all_processes(losses: torch.Tensor) -> torch.Tensor:
    """Scale the loss of a process so that the mean over processes is the mean over all sentence pairs.

    DistributedDataParallel averages gradients over processes, which may have different numbers of pairs.
    """
    if not torch.distributed.is_initialized():
        return losses.mean()
    pairs = torch.tensor(float(len(losses)), device=losses.device)
    torch.distributed.all_reduce(pairs)
    return losses.sum() * torch.distributed.get_world_size() / pairs
