from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from optical_cli.transport import TransportProblem, cosine_cost, uniform_marginals

Maker = Callable[..., TransportProblem]


def sentences(lengths: list[int], seed: int, dimension: int = 16) -> tuple[Tensor, Tensor]:
    """Tokens (B, n, d) that share a few meanings, as in a sentence and its translation, and their mask (B, n)."""
    generator = torch.Generator().manual_seed(seed)
    meanings = torch.randn(6, dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    longest = max(lengths)
    which = torch.randint(6, (len(lengths), longest), generator=generator)
    own = torch.randn(len(lengths), longest, dimension, generator=generator, dtype=torch.float64)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return normalize(meanings[which] + 0.7 * own, dim=-1), mask


@pytest.fixture
def make_problem() -> Maker:
    def make(
        teacher: list[int], student: list[int], dtype: torch.dtype = torch.float64, seed: int = 1
    ) -> TransportProblem:
        t, t_mask = sentences(teacher, seed)
        s, s_mask = sentences(student, seed + 1000)
        cost = cosine_cost(t, s).to(dtype)
        return TransportProblem(cost, uniform_marginals(t_mask), uniform_marginals(s_mask))

    return make
