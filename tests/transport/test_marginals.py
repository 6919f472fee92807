import pytest
import torch

from optical_cli.errors import DataError
from optical_cli.transport import uniform_marginals


def test_tokens_share_the_mass_and_padding_has_none():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]], dtype=torch.bool)
    expected = [[0.5, 0.5, 0, 0], [0.25, 0.25, 0.25, 0.25], [0, 0, 0, 1]]
    assert uniform_marginals(mask).tolist() == expected


def test_an_empty_side_is_refused_by_its_row():
    mask = torch.ones(4, 3, dtype=torch.bool)
    mask[1] = mask[3] = False
    with pytest.raises(DataError, match="row 1, 3 of a batch of 4"):
        uniform_marginals(mask)
