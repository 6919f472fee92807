import functools
import math

import pytest
import torch

from optical_cli.distill.refine import TokenPairs, refine_projection
from optical_cli.distill.ridge import Moments
from optical_cli.errors import NotConverged
from optical_cli.progress import Silence
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals


def unit(*shape, generator):
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


@pytest.fixture
def world():
    """A teacher's tokens, and a student's whose foreign states are those of its English ones, turned a little."""
    generator = torch.Generator().manual_seed(3)
    W = torch.linalg.qr(torch.randn(12, 12, generator=generator))[0]
    turn = torch.matrix_exp(0.35 * (raw := torch.randn(12, 12, generator=generator)) - 0.35 * raw.T)
    sentences = [unit(length, 12, generator=generator) for length in (4, 7, 2, 5) * 20]
    english = Moments.of(torch.cat(sentences[:5]) @ W, torch.cat(sentences[:5]))
    orders = [torch.randperm(len(tokens), generator=generator) for tokens in sentences]
    foreign = [(tokens @ W @ turn)[order] for tokens, order in zip(sentences, orders, strict=True)]
    return english, TokenPairs(foreign, sentences)


def cost(W, pairs):
    total = 0.0
    for S, T in zip(pairs.projected(W), pairs.teacher, strict=True):
        C = cosine_cost(T[None], S[None])
        mass = uniform_marginals(torch.ones(1, len(T)))
        total += float(solve(TransportProblem(C, mass, mass), 0.0).cost(C))
    return total / len(pairs.states)


@pytest.mark.parametrize("reg", [0.0, 0.02])
def test_each_refinement_brings_foreign_tokens_nearer_to_their_translations(world, reg):
    english, pairs = world
    W = english.projection(1e-3)
    costs = [cost(W, pairs)]
    for _ in range(3):
        W, health = refine_projection(W, english, pairs, reg=reg, ridge=1e-3, progress=Silence())
        costs.append(cost(W, pairs))
        assert health["plans"] == 80
        assert health["unconverged"] == 0
    assert costs[0] > 1.5 * costs[1]
    assert costs[1] > costs[2] > costs[3]


def test_the_image_of_a_token_is_the_mean_of_what_it_receives_at_unit_length(world):
    _, pairs = world
    W = torch.eye(12)
    none = Moments(torch.zeros(12, 12).double(), torch.zeros(12, 12).double(), 0)
    found, _ = refine_projection(W, none, pairs, reg=math.inf, ridge=1e-6, progress=Silence())
    # the product of the marginals sends every token of a sentence the teacher's mean
    x = torch.cat(list(pairs.states))
    means = [torch.nn.functional.normalize(T.mean(0), dim=-1).expand(len(T), -1) for T in pairs.teacher]
    torch.testing.assert_close(found, Moments.of(x, torch.cat(means)).projection(1e-6), rtol=1e-3, atol=1e-4)


def test_plans_that_miss_their_threshold_are_not_learned_from(world, monkeypatch):
    english, pairs = world
    hasty = functools.partial(solve, threshold=1e-9, max_iterations=1)
    monkeypatch.setattr("optical_cli.distill.refine.solve", hasty)
    with pytest.raises(NotConverged, match=r"reg 0.02: \d+ of 80 transport plans .* student\.warm_start\.reg"):
        refine_projection(torch.eye(12), english, pairs, reg=0.02, ridge=1e-3, progress=Silence())


def test_without_pairs_the_projection_is_that_of_the_ridge_regression(world):
    english, _ = world
    found, health = refine_projection(
        torch.eye(12), english, TokenPairs([], []), reg=0.0, ridge=1e-3, progress=Silence()
    )
    assert torch.equal(found, english.projection(1e-3))
    assert health == {}
