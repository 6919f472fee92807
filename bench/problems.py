"""Synthetic costs that resemble those between a sentence and its translation, from a fixed seed."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from optical_cli.transport import TransportProblem, cosine_cost, uniform_marginals

SEED = 13
DIMENSIONS = 128
MEANINGS = 2000
COMMON = 20  # number of meanings that are function words
COMMON_SHARE = 0.3  # share of function words in a text; they recur within a sentence
UNTRANSLATED = 0.25  # share of the student's tokens without a counterpart on the teacher's side


@dataclass(frozen=True)
class Family:
    """How similar the tokens of a sentence are. A token is a meaning of length 1 plus a context plus noise.

    Attributes:
        shared: length of the context, which all tokens of a sentence share.
        noise: length of the noise of each token.
    """

    shared: float
    noise: float


MIXED = Family(0.3, 0.6)  # 64 x 64 tokens: 5.7 effective targets at reg 0.1, 1.6 at reg 0.02
ALIKE = Family(0.8, 1.0)  # 64 x 64 tokens: 29 effective targets at reg 0.1, 1.7 at reg 0.02; costs are more similar


def token_pairs(
    batch: int, n: int, m: int, family: Family = MIXED, seed: int = SEED, dimensions: int = DIMENSIONS
) -> tuple[Tensor, Tensor]:
    """Draw unit-length tokens of sentences (batch, n, dimensions) and their translations (batch, m, dimensions)."""
    generator = torch.Generator().manual_seed(seed)

    def directions(*shape: int) -> Tensor:
        return normalize(torch.randn(*shape, dimensions, generator=generator), dim=-1)

    def draw(length: int) -> Tensor:
        rare = torch.randint(MEANINGS, (batch, length), generator=generator)
        return torch.where(torch.rand(batch, length, generator=generator) < COMMON_SHARE, rare % COMMON, rare)

    vocabulary, context, longest = directions(MEANINGS), directions(batch, 1), max(n, m)
    sentence = draw(longest)
    order = torch.rand(batch, longest, generator=generator).argsort(dim=1)
    untranslated = torch.rand(batch, longest, generator=generator) < UNTRANSLATED
    translation = torch.where(untranslated, draw(longest), sentence.gather(1, order))

    def tokens(meanings: Tensor) -> Tensor:
        noise = family.noise * directions(*meanings.shape)
        return normalize(family.shared * context + vocabulary[meanings] + noise, dim=-1)

    return tokens(sentence[:, :n]), tokens(translation[:, :m])


def make_problem(batch: int, n: int, m: int, family: Family = MIXED, seed: int = SEED) -> TransportProblem:
    """Make a batch of problems without padding, float32."""
    masks = (torch.ones(batch, length, dtype=torch.bool) for length in (n, m))
    return TransportProblem(cosine_cost(*token_pairs(batch, n, m, family, seed)), *map(uniform_marginals, masks))
