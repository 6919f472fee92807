"""The held-out bitext: how near translations are, and whether they find each other."""

from collections.abc import Sequence

import torch
from sentence_transformers import MultiVectorEncoder
from sentence_transformers.util import maxsim

from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.encode import encode_texts, pad
from optical_cli.encoder.side import Side
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals


class HeldOut:
    """Pairs that are watched and never trained on.

    Args:
        sentences: the foreign side.
        rows: the teacher's row of each.
        teacher: its tokens.
        side: as which the student encodes them.
        batch_size: sentences a batch.
    """

    def __init__(
        self, sentences: Sequence[str], rows: Sequence[int], teacher: TeacherTokens, side: Side, batch_size: int
    ) -> None:
        self._sentences = sentences
        self._rows = rows
        self._teacher = teacher
        self._side = side
        self._batch_size = batch_size

    def measure(self, student: MultiVectorEncoder) -> dict[str, float]:
        """How the student does on the held-out pairs.

        Returns:
            `transport_cost`, the mean cost of the exact plan (0 to 2): the same ruler for every reg and
            objective; `p@1`, the share of foreign sentences whose own translation has the highest MaxSim among
            all held-out ones. Empty if nothing is held out.
        """
        if not self._sentences:
            return {}
        S = encode_texts(student, self._sentences, self._side, self._batch_size)
        T = [self._teacher.text(row, self._side) for row in self._rows]
        best = maxsim(S, T).argmax(dim=1)
        return {
            "transport_cost": round(self._exact_cost(T, S), 6),
            "p@1": round(float((best == torch.arange(len(S))).double().mean()), 6),
        }

    def _exact_cost(self, T: list[torch.Tensor], S: list[torch.Tensor]) -> float:
        total = 0.0
        for start in range(0, len(S), self._batch_size):
            t, t_mask = pad(T[start : start + self._batch_size])
            s, s_mask = pad(S[start : start + self._batch_size])
            C = cosine_cost(t, s)
            problem = TransportProblem(C, uniform_marginals(t_mask), uniform_marginals(s_mask))
            total += float(solve(problem, 0.0).cost(C).sum())
        return total / len(S)
