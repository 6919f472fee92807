"""Which tokens of a bitext are rare, on either side of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.encode import pools_tokens, scored_ids
from optical_cli.encoder.setup import Side
from optical_cli.errors import ConfigError
from optical_cli.transport import idf_weights


@dataclass(frozen=True, eq=False)
class Idf:
    """The weight of a token by its id, for every side that is trained.

    Attributes:
        teacher: (teacher's vocabulary,) each.
        student: (student's vocabulary,) each, on the student's device.
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
        """Count over the sentences that are trained on exactly the tokens that are scored.

        Args:
            teacher: its tokens.
            rows: of the sentences.
            student: its tokenizer cuts them.
            sentences: the foreign side.
            lengths: tokens of a sentence, by the sides that are trained.

        Raises:
            ConfigError: teacher or student pools tokens.
        """
        if any(pools_tokens(student, side) for side in lengths):
            raise ConfigError(
                "transport.marginals: idf needs a token behind every embedding, and the student pools its tokens; "
                "uniform expected"
            )
        transformer: Any = student[0]
        vocabulary = transformer.model.get_input_embeddings().num_embeddings
        return cls(
            {side: _of_teacher(teacher, rows, side) for side in lengths},
            {
                side: idf_weights(scored_ids(student, sentences, side, length), vocabulary).to(student.device)
                for side, length in lengths.items()
            },
        )

    def of_teacher(self, teacher: TeacherTokens, rows: Sequence[int], side: Side) -> torch.Tensor:
        """The weights of the teacher's tokens of a batch: (rows, longest), zero behind a sentence."""
        weights = [self.teacher[side][torch.from_numpy(teacher.ids(row, side).astype(int))] for row in rows]
        return torch.nn.utils.rnn.pad_sequence(weights, batch_first=True)


def _of_teacher(teacher: TeacherTokens, rows: Sequence[int], side: Side) -> torch.Tensor:
    ids = [teacher.ids(row, side) for row in rows]
    return idf_weights(ids, 1 + max(int(of_text.max()) for of_text in ids))
