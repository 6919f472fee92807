"""The held-out bitext: how near translations are, and whether they find each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.data.bitext import Split
from optical_cli.distill.teacher_tokens import TeacherTokens
from optical_cli.encoder.encode import encode_texts, pad
from optical_cli.encoder.setup import Side
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

PLANS = 64
"""Plans at a time."""
QUERIES = 32
"""Sentences that search for their translation at a time."""


@dataclass(frozen=True)
class HeldOut:
    """Pairs that are measured and never trained on: foreign sentences, and the teacher's row of each."""

    sentences: Sequence[str]
    rows: Sequence[int]
    teacher: TeacherTokens
    side: Side
    batch_size: int

    @classmethod
    def of(cls, bitexts: Sequence[Split], teacher: TeacherTokens, side: Side, batch_size: int) -> Self:
        """The held-out pairs of the bitexts behind the teacher's rows."""
        sentences = [pair.foreign for split in bitexts for pair in split.held_out]
        begins = zip(bitexts, teacher.starts(), strict=True)
        rows = [start + row for split, start in begins for row in range(len(split.train), len(split.pairs))]
        return cls(sentences, rows, teacher, side, batch_size)

    def measure(self, student: MultiVectorEncoder) -> dict[str, float]:
        """The `translation_figures` of the student on the held-out pairs; empty if nothing is held out."""
        if not self.sentences:
            return {}
        S = encode_texts(student, self.sentences, self.side, self.batch_size)
        return translation_figures([self.teacher.text(row, self.side) for row in self.rows], S)


def translation_figures(T: Sequence[torch.Tensor], S: Sequence[torch.Tensor]) -> dict[str, float]:
    """How near translations are, and whether they find each other; empty without a sentence.

    `transport_cost` is the mean cost of the exact plan (0 to 2), the same ruler for every reg and objective; `p@1` is
    the share of foreign sentences whose own translation has the highest MaxSim of all. `T` holds the teacher's tokens
    of each sentence, `S` the student's of its translation, (tokens, dimensions) of unit length.
    """
    if not T:
        return {}
    best = _maxsim(S, T).argmax(dim=1)
    return {
        "transport_cost": round(_exact_cost(T, S), 6),
        "p@1": round(float((best == torch.arange(len(S))).double().mean()), 6),
    }


def _maxsim(queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor]) -> torch.Tensor:
    """(queries, documents) MaxSim, a block of queries against the tokens of all documents: nothing is padded."""
    tokens, starts = torch.cat(list(documents)), _starts(documents)
    scores = []
    for first in range(0, len(queries), QUERIES):
        block = queries[first : first + QUERIES]
        best = np.maximum.reduceat((torch.cat(list(block)) @ tokens.T).numpy(), starts, axis=1)
        scores.append(np.add.reduceat(best, _starts(block), axis=0))
    return torch.from_numpy(np.concatenate(scores))


def _starts(texts: Sequence[torch.Tensor]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *(len(tokens) for tokens in texts[:-1])])


def _exact_cost(T: Sequence[torch.Tensor], S: Sequence[torch.Tensor]) -> float:
    total = 0.0
    for start in range(0, len(S), PLANS):
        t, t_mask = pad(T[start : start + PLANS])
        s, s_mask = pad(S[start : start + PLANS])
        problem = TransportProblem(cosine_cost(t, s), uniform_marginals(t_mask), uniform_marginals(s_mask))
        total += float(solve(problem, 0.0).cost(problem.cost).sum())
    return total / len(S)
