"""The anchor of a training: a term of the loss that keeps the student's tokens near those that it had at the start."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.distill.losses import Tokens
from optical_cli.distill.stored_states import StoredStates
from optical_cli.encoder.setup import Side


@dataclass(frozen=True, eq=False)
class StartAnchor:
    """Draws each token of a sentence to the token that the student made of it before its training.

    What a multilingual student can do within its own language lies in these tokens, and the teacher says nothing of it.

    Attributes:
        start: the student as its training starts. It is run without gradients and without dropout.
        weight: weight of the distance beside the loss of the objective.
        states: what enters the upper layers of `start`, if only these are trained.
    """

    start: MultiVectorEncoder
    weight: float
    states: StoredStates | None

    def __post_init__(self) -> None:
        self.start.eval().requires_grad_(False)

    @torch.no_grad()
    def tokens(self, features: Mapping[str, Any], rows: Sequence[int], side: Side) -> torch.Tensor:
        """Return the tokens at the start of a batch, (pairs, m, d) of unit length; any finite value on padding."""
        own = dict(features)  # the encoder writes into it
        with self.states.reading(rows, side, own) if self.states else nullcontext():
            output = self.start(own, task=side)
        return torch.nn.functional.normalize(output["token_embeddings"].float(), dim=-1)


def distance(student: Tokens, anchor: torch.Tensor) -> torch.Tensor:
    """Return the mean cosine distance, 0 to 2, of the scored tokens of each sentence from those of an anchor: (pairs,).

    Args:
        student: the tokens of the student.
        anchor: (pairs, m, d) of unit length, in the same places.
    """
    apart = (1 - (student.vectors * anchor).sum(-1)).masked_fill(~student.mask, 0.0)
    return apart.sum(-1) / student.mask.sum(-1)
