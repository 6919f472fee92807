"""A closed-form projection into the teacher's embedding space, for a student that starts from another encoder.

A few thousand sentence pairs are too few to learn a random projection. But both encoders know the teacher's language:
encode its sentences with both, pair the tokens whose characters overlap, and fit the projection by ridge regression of
the teacher's tokens on the student's states.

A refinement then uses the bitext. The transport plan between a sentence and its translation gives each foreign token an
image: the mean of the teacher's tokens, weighted by the mass that the foreign token receives from them. The projection
is fitted again to these images together with the tokens of the teacher's language.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import zip_longest
from operator import add
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.config.student import WarmStart
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.data.bitext import SentencePair, Split
from optical_cli.distill.health import TrainingHealth
from optical_cli.distill.held_out import translation_figures
from optical_cli.distill.states import ReadText, Span, read_texts
from optical_cli.encoder.encode import encode_texts, pad
from optical_cli.encoder.setup import Side
from optical_cli.errors import DataError, NotConverged
from optical_cli.progress import Progress
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals
from optical_cli.transport.solvers import format_reg

BATCH = 64
"""Batch size of the plans."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The sums for a ridge regression of targets t on states x, added up batch by batch.

    Attributes:
        states: (d, d) float64, the sum of x x'.
        cross: (d, k) float64, the sum of x t'.
        count: number of pairs (x, t).
    """

    states: torch.Tensor
    cross: torch.Tensor
    count: int

    @classmethod
    def of(cls, x: torch.Tensor, t: torch.Tensor) -> Self:
        """Compute the moments of states x (pairs, d) and targets t (pairs, k)."""
        x, t = x.double(), t.double()
        return cls(x.T @ x, x.T @ t, len(x))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.states + other.states, self.cross + other.cross, self.count + other.count)

    def projection(self, ridge: float) -> torch.Tensor:
        """Solve for the projection W (k, d) float32 that minimises the sum of |W x - t|^2, plus penalty |W|^2.

        `ridge` is the penalty relative to the mean eigenvalue of `states`.
        """
        penalty = ridge * self.states.diagonal().mean() * torch.eye(len(self.states), dtype=torch.float64)
        weight: torch.Tensor = torch.linalg.solve(self.states + penalty, self.cross)
        return weight.T.to(torch.float32)


@dataclass(frozen=True, eq=False)
class TokenPairs:
    """The tokens of sentence pairs that MaxSim scores.

    Attributes:
        states: states of each foreign sentence, (tokens, d), from the student's last layer, before any projection.
        teacher: the teacher's tokens of each translation, (tokens, k) of unit length.
    """

    states: Sequence[torch.Tensor]
    teacher: Sequence[torch.Tensor]

    def projected(self, W: torch.Tensor) -> list[torch.Tensor]:
        """Project the student's states by W (k, d); returns (tokens, k) float32 of unit length for each sentence."""
        return [torch.nn.functional.normalize(states.float() @ W.T, dim=-1) for states in self.states]


@dataclass(frozen=True)
class Readers:
    """Student and teacher for a warm start, in the precision of encoding, with the side that texts are encoded as."""

    student: MultiVectorEncoder
    teacher: MultiVectorEncoder
    side: Side
    batch_size: int
    progress: Progress

    def token_pairs(self, pairs: Sequence[SentencePair]) -> TokenPairs:
        """Encode sentence pairs: foreign sentences by the student, their translations by the teacher."""
        states: list[torch.Tensor] = []
        foreign = [pair.foreign for pair in pairs]
        with self.progress.task("warm start: reading bitext", len(pairs), "pairs") as advance:
            for chunk in read_texts(self.student, foreign, self.side, self.batch_size, projected=False):
                states += [text.vectors[text.scored] for text in chunk]
                advance(len(chunk))
        sentences = [pair.teacher for pair in pairs]
        return TokenPairs(states, encode_texts(self.teacher, sentences, self.side, self.batch_size))

    def overlap_moments(self, sentences: Sequence[str]) -> Moments:
        """Encode sentences with both encoders, and compute the moments of tokens that share characters.

        Raises:
            DataError: the tokens of the two tokenizers overlap nowhere.
        """
        parts: list[Moments] = []
        with self.progress.task("warm start: ridge", len(sentences), "sentences") as advance:
            for states, targets in zip(
                read_texts(self.student, sentences, self.side, self.batch_size, projected=False),
                read_texts(self.teacher, sentences, self.side, self.batch_size, projected=True),
                strict=True,
            ):
                parts.append(Moments.of(*_paired(states, targets)))
                advance(len(states))
        if not sum(part.count for part in parts):
            raise DataError(
                "warm start: the tokens of student and teacher overlap nowhere in the teacher side of the bitext; "
                "give another bitext"
            )
        return reduce(add, parts)


def fit_projection(
    readers: Readers, settings: WarmStart, bitexts: Sequence[Split]
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Fit the projection of a student into the teacher's space, by ridge regression and refinements.

    Returns:
        the projection, (teacher dimensions, student dimensions); and facts about each step for the manifest: its
        settings and counts, seconds, the health of its plans and its figures on the held-out pairs.
    """
    held_out = readers.token_pairs([pair for split in bitexts for pair in split.held_out])
    in_turn = zip_longest(*(split.train for split in bitexts))  # one pair of each bitext at a time
    pairs = [pair for row in in_turn for pair in row if pair is not None]
    steps: list[dict[str, Any]] = []

    def record(began: float, W: torch.Tensor, **facts: Any) -> None:
        seconds = round(time.perf_counter() - began, 3)
        figures = translation_figures(held_out.teacher, held_out.projected(W))
        steps.append({**facts, "seconds": seconds, "held_out": figures})

    began = time.perf_counter()
    sentences = list(dict.fromkeys(pair.teacher for pair in pairs))[: settings.sentences]
    known = readers.overlap_moments(sentences)
    W = known.projection(settings.ridge)
    record(began, W, step="ridge", ridge=settings.ridge, sentences=len(sentences), paired_tokens=known.count)
    if not settings.refinements:
        return W, steps
    began = time.perf_counter()
    seen = readers.token_pairs(pairs[: settings.pairs])
    for _ in range(settings.refinements):
        W, health = refine_projection(W, known, seen, reg=settings.reg, ridge=settings.ridge, progress=readers.progress)
        record(began, W, step="refinement", reg=settings.reg, pairs=len(seen.states), **health)
        began = time.perf_counter()
    return W, steps


def refine_projection(
    W: torch.Tensor, known: Moments, pairs: TokenPairs, *, reg: float, ridge: float, progress: Progress
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Refine a projection once, by transport plans with uniform marginals.

    Args:
        W: (k, d) the projection.
        known: moments of the teacher's language.
        pairs: tokens of sentence pairs.
        reg: of the plans, in units of the cost.
        ridge: penalty of the regression, relative to the mean eigenvalue of the states.
        progress: where progress is reported.

    Returns:
        the refined projection, (k, d) float32, and the health of the plans, which were solved with the given one.

    Raises:
        NotConverged: the exact solver gave up, or more plans than tolerated missed their threshold.
    """
    health, parts = TrainingHealth(), [known]
    with progress.task("warm start: refinement", len(pairs.states), "pairs") as advance:
        for start in range(0, len(pairs.states), BATCH):
            batch = TokenPairs(pairs.states[start : start + BATCH], pairs.teacher[start : start + BATCH])
            parts.append(_moments_of_images(W, batch, reg, health))
            advance(len(batch.states))
    if health.unconverged > TOLERATED_SHARE * health.plans:
        raise NotConverged(
            f"warm start, reg {format_reg(reg)}: {health.unconverged} of {health.plans} transport plans missed their "
            "threshold; choose a larger student.warm_start.reg or 0"
        )
    return reduce(add, parts).projection(ridge), health.summary()


def _moments_of_images(W: torch.Tensor, pairs: TokenPairs, reg: float, health: TrainingHealth) -> Moments:
    T, t_mask = pad([tokens.float() for tokens in pairs.teacher])
    S, s_mask = pad(pairs.projected(W))
    C = cosine_cost(T, S)  # (B, n, m)
    coupling = solve(TransportProblem(C, uniform_marginals(t_mask), uniform_marginals(s_mask)), reg)
    health.add(coupling)
    images = torch.nn.functional.normalize(coupling.plan.transpose(1, 2) @ T, dim=-1)  # (B, m, k)
    return Moments.of(torch.cat(list(pairs.states)), images[s_mask])


def _paired(states: Sequence[ReadText], targets: Sequence[ReadText]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pair overlapping tokens: student states (pairs, d) and teacher tokens (pairs, k), with a row for each pair."""
    x, t = [], []
    for state, target in zip(states, targets, strict=True):
        pairs = torch.from_numpy(overlapping(state.spans, target.spans))
        x.append(state.vectors[pairs[:, 0]])
        t.append(target.vectors[pairs[:, 1]])
    return torch.cat(x), torch.cat(t)


def overlapping(first: Sequence[Span], second: Sequence[Span]) -> npt.NDArray[np.int64]:
    """Find the pairs (i, j) of tokens that share a character, and pair the special tokens at both ends.

    Spans are half-open ranges of characters, (0, 0) for a special token.

    Returns:
        (pairs, 2) int64.
    """
    a, b = np.asarray(first, np.int64), np.asarray(second, np.int64)  # (n, 2), (m, 2)
    starts = np.maximum.outer(a[:, 0], b[:, 0])
    ends = np.minimum.outer(a[:, 1], b[:, 1])
    corners = [(0, 0), (len(a) - 1, len(b) - 1)]
    special = [(i, j) for i, j in corners if first[i] == (0, 0) == second[j]]
    return np.concatenate([np.argwhere(starts < ends), np.asarray(special, np.int64).reshape(-1, 2)])
