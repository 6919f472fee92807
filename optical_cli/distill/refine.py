"""The warm start, refined: the bitext says where the student's foreign tokens should be, still in closed form.

Ridge regression on the teacher's language alone leaves the foreign tokens where the student's own multilinguality
puts them. Their transport to the teacher's tokens of the translation shows where they belong: each foreign token's
image is the mean of the teacher's tokens weighted by the mass it receives from them, and the projection is fitted
anew to these images together with the tokens of the teacher's language. The student itself stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import torch

from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.distill.health import Health
from optical_cli.distill.ridge import Moments
from optical_cli.encoder.encode import pad
from optical_cli.errors import NotConverged
from optical_cli.progress import Progress
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

BATCH = 64
"""Plans at a time."""


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
        """The student's tokens under a projection (k, d): of each sentence (tokens, k) float32 of unit length."""
        return [torch.nn.functional.normalize(states.float() @ W.T, dim=-1) for states in self.states]


def refine_projection(
    W: torch.Tensor, known: Moments, pairs: TokenPairs, *, reg: float, ridge: float, progress: Progress
) -> tuple[torch.Tensor, dict[str, Any]]:
    """One refinement.

    Args:
        W: (k, d) the projection so far: the plans are those of its tokens.
        known: of the teacher's language.
        pairs: of the bitext.
        reg: of the transport; uniform marginals.
        ridge: as in `Moments.projection`.
        progress: hears of every batch of plans.

    Returns:
        the new projection, (k, d) float32, and the health of the plans.

    Raises:
        NotConverged: the exact solver gave up, or more plans than tolerated missed their threshold.
    """
    health, parts = Health(), [known]
    with progress.task("warm start: refinement", len(pairs.states), "pairs") as advance:
        for start in range(0, len(pairs.states), BATCH):
            some = TokenPairs(pairs.states[start : start + BATCH], pairs.teacher[start : start + BATCH])
            parts.append(_of_images(W, some, reg, health))
            advance(len(some.states))
    if health.unconverged > TOLERATED_SHARE * health.plans:
        raise NotConverged(
            f"warm start, reg {reg:g}: {health.unconverged} of {health.plans} transport plans missed their threshold; "
            "choose a larger student.warm_start.reg or 0"
        )
    return reduce(add, parts).projection(ridge), health.summary()


def _of_images(W: torch.Tensor, pairs: TokenPairs, reg: float, health: Health) -> Moments:
    """The moments of foreign states and their images."""
    T, t_mask = pad([tokens.float() for tokens in pairs.teacher])
    S, s_mask = pad(pairs.projected(W))
    C = cosine_cost(T, S)  # (B, n, m)
    coupling = solve(TransportProblem(C, uniform_marginals(t_mask), uniform_marginals(s_mask)), reg)
    health.add(coupling)
    images = torch.nn.functional.normalize(coupling.plan.transpose(1, 2) @ T, dim=-1)  # (B, m, k)
    return Moments.of(torch.cat(list(pairs.states)), images[s_mask])
