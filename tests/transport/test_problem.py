import math

import pytest
import torch

from optical_cli.errors import DataError
from optical_cli.transport import TransportProblem

HALF = torch.tensor([[0.5, 0.5]])


@pytest.mark.parametrize(
    ("cost", "a", "b", "message"),
    [
        (torch.ones(2, 2), HALF, HALF, r"shape \(B, n, m\)"),
        (torch.ones(1, 2, 0), HALF, torch.ones(1, 0), "empty"),
        (torch.ones(1, 2, 2).half(), HALF, HALF, "float16"),
        (torch.tensor([[[0.0, math.nan], [0.0, 0.0]]]), HALF, HALF, r"not finite in row 0"),
        (torch.tensor([[[0.0, math.inf], [0.0, 0.0]]]), HALF, HALF, r"not finite in row 0"),
        (torch.ones(1, 2, 3), HALF, HALF, r"marginal b .* shape \(1, 3\)"),
        (torch.ones(1, 2, 2), HALF / 2, HALF, "marginal a .* sum to 1"),
        (torch.ones(1, 2, 2), HALF, torch.tensor([[1.5, -0.5]]), "marginal b .* not negative"),
        (torch.ones(1, 2, 2), torch.tensor([[math.nan, 1.0]]), HALF, "marginal a .* finite"),
    ],
)
def test_a_faulty_problem_is_refused(cost, a, b, message):
    with pytest.raises(DataError, match=message):
        TransportProblem(cost, a, b)


def test_a_faulty_cost_names_its_row():
    cost = torch.zeros(3, 2, 2)
    cost[2, 0, 1] = math.nan
    with pytest.raises(DataError, match="row 2"):
        TransportProblem(cost, HALF.expand(3, 2), HALF.expand(3, 2))
