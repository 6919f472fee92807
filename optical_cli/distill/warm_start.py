"""A closed-form start for a student that comes from another space than its teacher.

A random projection has to be learned before anything else, and a few thousand sentence pairs do not teach it. But both
encoders know the teacher's language: encode sentences of it with both, pair the tokens whose characters overlap, and
regress the student's states on the teacher's tokens.

A refinement then moves the foreign tokens: the transport of a foreign sentence to the teacher's tokens of its
translation gives each foreign token an image, the mean of the teacher's tokens weighted by the mass it receives from
them. The projection is fitted anew to these images together with the tokens of the teacher's language.
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
"""Plans at a time."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The sums that a ridge regression of targets t on states x needs, so that only a batch is ever in memory.

    Attributes:
        states: (d, d) float64, the sum of x x'.
        cross: (d, k) float64, the sum of x t'.
    """

    states: torch.Tensor
    cross: torch.Tensor
    count: int

    @classmethod
    def of(cls, x: torch.Tensor, t: torch.Tensor) -> Self:
        """The moments of states (pairs, d) and targets (pairs, k)."""
        x, t = x.double(), t.double()
        return cls(x.T @ x, x.T @ t, len(x))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.states + other.states, self.cross + other.cross, self.count + other.count)

    def projection(self, ridge: float) -> torch.Tensor:
        """The W, (k, d) float32, that minimizes the sum of |W x - t|^2 + penalty |W|^2.

        `ridge` is the penalty relative to the mean eigenvalue of `states`.
        """
        penalty = ridge * self.states.diagonal().mean() * torch.eye(len(self.states), dtype=torch.float64)
        weight: torch.Tensor = torch.linalg.solve(self.states + penalty, self.cross)
        return weight.T.to(torch.float32)


@dataclass(frozen=True, eq=False)
class TokenPairs:
    """Both sides of sentence pairs: exactly the tokens that MaxSim scores.

    Attributes:
        states: of each foreign sentence, (tokens, d): the student's last layer, before any projection.
        teacher: of each translation, (tokens, k) of unit length.
    """

    states: Sequence[torch.Tensor]
    teacher: Sequence[torch.Tensor]

    def projected(self, W: torch.Tensor) -> list[torch.Tensor]:
        """The student's tokens under a projection (k, d): for each sentence (tokens, k) float32 of unit length."""
        return [torch.nn.functional.normalize(states.float() @ W.T, dim=-1) for states in self.states]


@dataclass(frozen=True)
class Readers:
    """Student and teacher as a warm start reads with them: in the precision of encoding, on one side."""

    student: MultiVectorEncoder
    teacher: MultiVectorEncoder
    side: Side
    batch_size: int
    progress: Progress

    def token_pairs(self, pairs: Sequence[SentencePair]) -> TokenPairs:
        """The tokens of both sides of sentence pairs."""
        states: list[torch.Tensor] = []
        foreign = [pair.foreign for pair in pairs]
        with self.progress.task("warm start: reading bitext", len(pairs), "pairs") as advance:
            for chunk in read_texts(self.student, foreign, self.side, self.batch_size, projected=False):
                states += [text.vectors[text.scored] for text in chunk]
                advance(len(chunk))
        sentences = [pair.teacher for pair in pairs]
        return TokenPairs(states, encode_texts(self.teacher, sentences, self.side, self.batch_size))

    def overlap_moments(self, sentences: Sequence[str]) -> Moments:
        """The moments of student states and teacher tokens that cover the same characters of sentences.

        Raises:
            DataError: no token of the two tokenizers overlaps.
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
            raise DataError("warm start: the tokens of student and teacher overlap nowhere; give other sentences")
        return reduce(add, parts)


def fit_projection(
    readers: Readers, settings: WarmStart, bitexts: Sequence[Split]
) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    """Fit the projection of a student into the teacher's space.

    Returns:
        the projection, (teacher dimensions, student dimensions), and for each step of the fit what it saw, its
        seconds, the health of its plans and its figures on the held-out pairs.
    """
    held_out = readers.token_pairs([pair for split in bitexts for pair in split.held_out])
    in_turn = zip_longest(*(split.train for split in bitexts))  # a pair of each bitext at a time
    pairs = [pair for row in in_turn for pair in row if pair is not None]
    steps: list[dict[str, Any]] = []

    def done(began: float, W: torch.Tensor, **what: Any) -> None:
        seconds = round(time.perf_counter() - began, 3)
        figures = translation_figures(held_out.teacher, held_out.projected(W))
        steps.append({**what, "seconds": seconds, "held_out": figures})

    began = time.perf_counter()
    sentences = list(dict.fromkeys(pair.teacher for pair in pairs))[: settings.sentences]
    known = readers.overlap_moments(sentences)
    W = known.projection(settings.ridge)
    done(began, W, step="ridge", ridge=settings.ridge, sentences=len(sentences), paired_tokens=known.count)
    if not settings.refinements:
        return W, steps
    began = time.perf_counter()
    seen = readers.token_pairs(pairs[: settings.pairs])
    for _ in range(settings.refinements):
        W, health = refine_projection(W, known, seen, reg=settings.reg, ridge=settings.ridge, progress=readers.progress)
        done(began, W, step="refinement", reg=settings.reg, pairs=len(seen.states), **health)
        began = time.perf_counter()
    return W, steps


def refine_projection(
    W: torch.Tensor, known: Moments, pairs: TokenPairs, *, reg: float, ridge: float, progress: Progress
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Refine a projection once and return it, (k, d) float32, with the health of the plans solved under the old one.

    The plans have uniform marginals; `known` are the moments of the teacher's language.

    Raises:
        NotConverged: the exact solver gave up, or more plans than tolerated missed their threshold.
    """
    health, parts = TrainingHealth(), [known]
    with progress.task("warm start: refinement", len(pairs.states), "pairs") as advance:
        for start in range(0, len(pairs.states), BATCH):
            some = TokenPairs(pairs.states[start : start + BATCH], pairs.teacher[start : start + BATCH])
            parts.append(_of_images(W, some, reg, health))
            advance(len(some.states))
    if health.unconverged > TOLERATED_SHARE * health.plans:
        raise NotConverged(
            f"warm start, reg {format_reg(reg)}: {health.unconverged} of {health.plans} transport plans missed their "
            "threshold; choose a larger student.warm_start.reg or 0"
        )
    return reduce(add, parts).projection(ridge), health.summary()


def _of_images(W: torch.Tensor, pairs: TokenPairs, reg: float, health: TrainingHealth) -> Moments:
    T, t_mask = pad([tokens.float() for tokens in pairs.teacher])
    S, s_mask = pad(pairs.projected(W))
    C = cosine_cost(T, S)  # (B, n, m)
    coupling = solve(TransportProblem(C, uniform_marginals(t_mask), uniform_marginals(s_mask)), reg)
    health.add(coupling)
    images = torch.nn.functional.normalize(coupling.plan.transpose(1, 2) @ T, dim=-1)  # (B, m, k)
    return Moments.of(torch.cat(list(pairs.states)), images[s_mask])


def _paired(states: Sequence[ReadText], targets: Sequence[ReadText]) -> tuple[torch.Tensor, torch.Tensor]:
    """Student states (pairs, d) and teacher tokens (pairs, k), a row for each pair of overlapping tokens."""
    x, t = [], []
    for state, target in zip(states, targets, strict=True):
        pairs = torch.from_numpy(overlapping(state.spans, target.spans))
        x.append(state.vectors[pairs[:, 0]])
        t.append(target.vectors[pairs[:, 1]])
    return torch.cat(x), torch.cat(t)


def overlapping(first: Sequence[Span], second: Sequence[Span]) -> npt.NDArray[np.int64]:
    """Pairs (i, j) of tokens that share a character, and of the special tokens at both ends: (pairs, 2).

    A token's span of characters is half-open; that of a special token is (0, 0).
    """
    a, b = np.asarray(first, np.int64), np.asarray(second, np.int64)  # (n, 2), (m, 2)
    starts = np.maximum.outer(a[:, 0], b[:, 0])
    ends = np.minimum.outer(a[:, 1], b[:, 1])
    corners = [(0, 0), (len(a) - 1, len(b) - 1)]
    special = [(i, j) for i, j in corners if first[i] == (0, 0) == second[j]]
    return np.concatenate([np.argwhere(starts < ends), np.asarray(special, np.int64).reshape(-1, 2)])
