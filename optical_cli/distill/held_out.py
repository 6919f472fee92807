"""Figures of a student on the held-out bitext: transport cost, P@1 of finding a translation, and collapse."""

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
"""Batch size of the exact plans."""
QUERIES = 32
"""Batch size of the sentences that search for their translation."""


@dataclass(frozen=True)
class HeldOut:
    """Sentence pairs that a student is measured on and not trained on.

    Attributes:
        sentences: the foreign sentences.
        rows: the row of each translation in the teacher's encodings.
    """

    sentences: Sequence[str]
    rows: Sequence[int]
    teacher: TeacherTokens
    side: Side
    batch_size: int

    @classmethod
    def of(cls, bitexts: Sequence[Split], teacher: TeacherTokens, side: Side, batch_size: int) -> Self:
        """Select the held-out pairs of bitexts, which are those of the teacher's encodings, in the same order."""
        sentences = [pair.foreign for split in bitexts for pair in split.held_out]
        begins = zip(bitexts, teacher.starts(), strict=True)
        rows = [start + row for split, start in begins for row in range(len(split.train), len(split.pairs))]
        return cls(sentences, rows, teacher, side, batch_size)

    def measure(self, student: MultiVectorEncoder) -> dict[str, float]:
        """Compute the `translation_figures` of a student on the held-out pairs; empty if there are none."""
        if not self.sentences:
            return {}
        S = encode_texts(student, self.sentences, self.side, self.batch_size)
        return translation_figures([self.teacher.text(row, self.side) for row in self.rows], S)


def translation_figures(T: Sequence[torch.Tensor], S: Sequence[torch.Tensor]) -> dict[str, float]:
    """Measure how close the embeddings of translations are, and how often search finds them.

    Args:
        T: the teacher's tokens of each sentence, (tokens, dimensions) of unit length.
        S: the student's tokens of each translation, (tokens, dimensions) of unit length.

    Returns:
        `transport_cost`, the mean cost of the exact plans, 0 to 2, which is comparable across reg and objectives;
        `p@1`, the share of foreign sentences whose own translation has the highest MaxSim of all; and `token_cosine`,
        the mean cosine between the student's tokens of a sentence, -1 to 1, which rises as they collapse into one.
        Empty without sentences.
    """
    if not T:
        return {}
    best = _maxsim(S, T).argmax(dim=1)
    return {
        "transport_cost": round(_exact_cost(T, S), 6),
        "p@1": round(float((best == torch.arange(len(S))).double().mean()), 6),
        "token_cosine": round(_token_cosine(S), 6),
    }


def _token_cosine(S: Sequence[torch.Tensor]) -> float:
    """Average the cosine of two different tokens of a sentence over its tokens, and over sentences of two or more."""
    sums = [(float(tokens.double().sum(dim=0).square().sum()), len(tokens)) for tokens in S if len(tokens) > 1]
    return sum((square - count) / (count * (count - 1)) for square, count in sums) / max(len(sums), 1)


def _maxsim(queries: Sequence[torch.Tensor], documents: Sequence[torch.Tensor]) -> torch.Tensor:
    """Compute MaxSim scores (queries, documents), a block of queries at a time, without padding."""
    tokens, starts = torch.cat(list(documents)), _starts(documents)
    scores = []
    for first in range(0, len(queries), QUERIES):
        block = queries[first : first + QUERIES]
        similarity = torch.cat(list(block)) @ tokens.T  # (tokens of the block, d) @ (d, tokens of all documents)
        best = np.maximum.reduceat(similarity.numpy(), starts, axis=1)  # (tokens of the block, documents)
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
