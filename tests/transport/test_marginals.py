import math

import numpy as np
import pytest
import torch

from optical_cli.errors import DataError
from optical_cli.transport import uniform_marginals
from optical_cli.transport.marginals import idf_weights, weighted_marginals


def test_tokens_share_the_mass_and_padding_has_none():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], dtype=torch.bool)
    expected = [[0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25], [0, 0, 0, 1]]
    assert uniform_marginals(mask).tolist() == expected


def test_an_empty_side_is_refused_by_its_row():
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[1] = mask[3] = False
    with pytest.raises(DataError, match="row 1, 3 of a batch of 4"):
        uniform_marginals(mask)


def test_mass_is_in_proportion_to_the_weights_of_the_tokens_that_are_there():
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
def test_a_token_without_a_weight_is_refused_by_its_row(weight):
    weights = torch.tensor([[1.0, 1.0], [1.0, weight]])
    with pytest.raises(DataError, match="no mass for a token in row 1 of a batch of 2"):
        weighted_marginals(weights, torch.ones(2, 2))


def test_rare_tokens_weigh_more_by_the_smoothed_inverse_document_frequency():
    sentences = [[0, 1, 1, 1], np.array([0, 2], np.int32), [0, 1], [0]]
    expected = [1, math.log(5 / 3) + 1, math.log(5 / 2) + 1, math.log(5) + 1]  # token 3 is in no sentence
    assert idf_weights(sentences, 4).tolist() == pytest.approx(expected)
    assert idf_weights([], 2).tolist() == [1, 1]
