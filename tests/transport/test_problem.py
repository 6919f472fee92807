import math

import numpy as np
import pytest
import torch

from optical_cli.errors import DataError
from optical_cli.transport import TransportProblem, cosine_cost, idf_weights, uniform_marginals, weighted_marginals

HALF = torch.tensor([[0.5, 0.5]])


@pytest.mark.parametrize(
    ("cost", "a", "b", "message"),
    [
        (torch.ones(2, 2), HALF, HALF, r"shape \(B, n, m\) expected, found \(2, 2\)"),
        (torch.ones(1, 2, 0), HALF, torch.ones(1, 0), "empty"),
        (torch.ones(1, 2, 2).half(), HALF, HALF, "float16"),
        (torch.tensor([[[0.0, math.nan], [0.0, 0.0]]]), HALF, HALF, r"not finite in row 0"),
        (torch.tensor([[[0.0, math.inf], [0.0, 0.0]]]), HALF, HALF, r"not finite in row 0"),
        (torch.ones(1, 2, 3), HALF, HALF, r"marginal b: shape \(1, 3\) expected .* found \(1, 2\)"),
        (torch.ones(1, 2, 2), HALF / 2, HALF, "marginal a: .* sum to 1"),
        (torch.ones(1, 2, 2), HALF, torch.tensor([[1.5, -0.5]]), "marginal b: .* at least 0"),
        (torch.ones(1, 2, 2), torch.tensor([[math.nan, 1.0]]), HALF, "marginal a: finite"),
    ],
)
def test_a_faulty_problem_is_refused(cost, a, b, message):
    with pytest.raises(DataError, match=message):
        TransportProblem(cost, a, b)


def test_a_cost_that_is_not_finite_is_refused_by_its_row():
    cost = torch.zeros(3, 2, 2)
    cost[2, 0, 1] = math.nan
    with pytest.raises(DataError, match="row 2"):
        TransportProblem(cost, HALF.expand(3, 2), HALF.expand(3, 2))


def test_same_opposite_and_orthogonal_tokens():
    t = torch.tensor([[[1.0, 0.0]]])
    s = torch.tensor([[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]])
    assert cosine_cost(t, s).tolist() == [[[0.0, 2.0, 1.0]]]


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_costs_are_never_half(dtype, expected):
    t = torch.ones(1, 2, 4, dtype=dtype)
    assert cosine_cost(t, t).dtype == expected


def test_autocast_does_not_round_the_costs():
    t = torch.nn.functional.normalize(torch.arange(1.0, 13.0).reshape(1, 3, 4), dim=-1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = cosine_cost(t, t)
    assert torch.equal(under_autocast, cosine_cost(t, t))


def test_gradient_flows_to_the_student():
    t, s = torch.eye(3)[None], torch.eye(3)[None].requires_grad_()
    cosine_cost(t, s).sum().backward()
    assert torch.equal(s.grad, -torch.ones(1, 3, 3))


def test_tokens_share_the_mass_and_padding_has_none():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], dtype=torch.bool)
    expected = [[0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25], [0, 0, 0, 1]]
    assert uniform_marginals(mask).tolist() == expected


def test_an_empty_side_is_refused_by_its_row():
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[1] = mask[3] = False
    with pytest.raises(DataError, match="rows 1, 3 of a batch of 4"):
        uniform_marginals(mask)


def test_mass_is_proportional_to_the_weights_of_unmasked_tokens():
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=torch.bool)
    weights = torch.tensor([[1.0, 3.0, math.nan], [2.0, 2.0, 4.0], [-1.0, 1e-6, 0.0]])
    mass = weighted_marginals(weights, mask)
    torch.testing.assert_close(mass, torch.tensor([[0.25, 0.75, 0], [0.25, 0.25, 0.5], [0, 1, 0]]))
    assert mass.dtype == torch.float32


def test_weights_of_512_tokens_of_any_size_still_sum_to_1():
    weights = torch.logspace(-3, 3, 512, dtype=torch.float64)[None]
    mass = weighted_marginals(weights, torch.ones(1, 512))
    assert float(mass.double().sum()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_weight_out_of_range_is_refused_by_its_row(weight):
    weights = torch.tensor([[1.0, 1.0], [1.0, weight]])
    with pytest.raises(DataError, match=r"positive and finite numbers expected .* in row 1 of a batch of 2"):
        weighted_marginals(weights, torch.ones(2, 2))


def test_rare_tokens_weigh_more_by_the_smoothed_inverse_document_frequency():
    sentences = [[0, 1, 1, 1], np.array([0, 2], np.int32), [0, 1], [0]]
    expected = [1, math.log(5 / 3) + 1, math.log(5 / 2) + 1, math.log(5) + 1]  # token 3 is in no sentence
    assert idf_weights(sentences, 4).tolist() == pytest.approx(expected)
    assert idf_weights([], 2).tolist() == [1, 1]
