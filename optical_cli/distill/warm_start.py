"""A closed-form start for a student that comes from another space than its teacher.

A random projection has to be learned before anything else can be, and a few thousand sentence pairs do not
teach it. The teacher's language is known to both: encode sentences of it with both, pair their tokens where
their characters overlap, and regress the student's states on the teacher's tokens.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.distill.ridge import Moments
from optical_cli.distill.states import ReadText, Span, read_texts
from optical_cli.encoder.setup import Side
from optical_cli.errors import DataError
from optical_cli.progress import Progress


def overlap_moments(
    student: MultiVectorEncoder,
    teacher: MultiVectorEncoder,
    sentences: Sequence[str],
    side: Side,
    batch_size: int,
    progress: Progress,
) -> Moments:
    """The moments of student states and teacher tokens that cover the same characters.

    Args:
        student: its states are those of its last layer, before any projection.
        teacher: its unit-length tokens are what the states should be projected to.
        sentences: in the language both know.
        side: as which the sentences are encoded.
        batch_size: sentences a batch.
        progress: hears of every chunk.

    Raises:
        DataError: no token of the two tokenizers overlaps.
    """
    parts: list[Moments] = []
    with progress.task("warm start: ridge", len(sentences), "sentences") as advance:
        for states, targets in zip(
            read_texts(student, sentences, side, batch_size, projected=False),
            read_texts(teacher, sentences, side, batch_size, projected=True),
            strict=True,
        ):
            parts.append(Moments.of(*_paired(states, targets)))
            advance(len(states))
    if not sum(part.count for part in parts):
        raise DataError("warm start: the tokens of student and teacher overlap nowhere; give other sentences")
    return reduce(add, parts)


def _paired(states: Sequence[ReadText], targets: Sequence[ReadText]) -> tuple[torch.Tensor, torch.Tensor]:
    """Student states (pairs, d) and teacher tokens (pairs, k): a row a pair of overlapping tokens."""
    x, t = [], []
    for state, target in zip(states, targets, strict=True):
        pairs = torch.from_numpy(overlapping(state.spans, target.spans))
        x.append(state.vectors[pairs[:, 0]])
        t.append(target.vectors[pairs[:, 1]])
    return torch.cat(x), torch.cat(t)


def overlapping(first: Sequence[Span], second: Sequence[Span]) -> npt.NDArray[np.int64]:
    """Pairs (i, j) of tokens that share a character, and of the special tokens at both ends: (pairs, 2).

    Args:
        first, second: the half-open character span of each token, in order; (0, 0) for a special token.
    """
    a, b = np.asarray(first, np.int64), np.asarray(second, np.int64)  # (n, 2), (m, 2)
    starts = np.maximum.outer(a[:, 0], b[:, 0])
    ends = np.minimum.outer(a[:, 1], b[:, 1])
    corners = [(0, 0), (len(a) - 1, len(b) - 1)]
    special = [(i, j) for i, j in corners if first[i] == (0, 0) == second[j]]
    return np.concatenate([np.argwhere(starts < ends), np.asarray(special, np.int64).reshape(-1, 2)])
