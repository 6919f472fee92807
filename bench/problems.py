"""Costs that look like those between a sentence and its translation, from one fixed seed."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from optical_cli.transport import TransportProblem, cosine_cost, uniform_marginals

SEED = 13
DIMENSIONS = 128
MEANINGS = 2000
COMMON = 20  # of them are function words, ...
COMMON_SHARE = 0.3  # ... which make up this share of a text and recur within a sentence
UNTRANSLATED = 0.25  # share of the student's tokens that stand for nothing on the teacher's side


@dataclass(frozen=True)
class Family:
    """How alike the tokens of a sentence are.

    Attributes:
        shared: length of what all tokens of a sentence have in common, beside a meaning of length 1.
        noise: length of what a token has of its own.
    """

    shared: float
    noise: float


MIXED = Family(0.3, 0.6)  # 64 x 64: at reg 0.1 over 5.7 effective targets, at 0.02 over 1.6
ALIKE = Family(0.8, 1.0)  # 64 x 64: at reg 0.1 over 29, at 0.02 over 1.7; costs lie closer together


def token_pairs(
    batch: int, n: int, m: int, family: Family = MIXED, seed: int = SEED, dimensions: int = DIMENSIONS
) -> tuple[Tensor, Tensor]:
    """Unit-length tokens of sentences (batch, n, dimensions) and of their translations (batch, m, dimensions)."""
    generator = torch.Generator().manual_seed(seed)

    def directions(*shape: int) -> Tensor:
        return normalize(torch.randn(*shape, dimensions, generator=generator), dim=-1)

    def draw(length: int) -> Tensor:
        rare = torch.randint(MEANINGS, (batch, length), generator=generator)
        return torch.where(torch.rand(batch, length, generator=generator) < COMMON_SHARE, rare % COMMON, rare)

    vocabulary, context, longest = directions(MEANINGS), directions(batch, 1), max(n, m)
    said = draw(longest)
    order = torch.rand(batch, longest, generator=generator).argsort(dim=1)
    own = torch.rand(batch, longest, generator=generator) < UNTRANSLATED
    translated = torch.where(own, draw(longest), said.gather(1, order))

    def tokens(meanings: Tensor) -> Tensor:
        own = family.noise * directions(*meanings.shape)
        return normalize(family.shared * context + vocabulary[meanings] + own, dim=-1)

    return tokens(said[:, :n]), tokens(translated[:, :m])


def make_problem(batch: int, n: int, m: int, family: Family = MIXED, seed: int = SEED) -> TransportProblem:
    """A batch without padding, float32."""
    masks = (torch.ones(batch, length, dtype=torch.bool) for length in (n, m))
    return TransportProblem(cosine_cost(*token_pairs(batch, n, m, family, seed)), *map(uniform_marginals, masks))
