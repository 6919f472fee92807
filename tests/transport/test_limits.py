import numpy as np
import ot
import pytest
import torch

from optical_cli.errors import NotConverged
from optical_cli.transport import limits


def test_exact_costs_what_emd_says_without_the_padding(make_problem):
    n, m = [5, 9, 1], [7, 4, 3]
    problem = make_problem(n, m)
    plans = limits.exact(problem)
    for k in range(3):
        a, b, C = np.full(n[k], 1 / n[k]), np.full(m[k], 1 / m[k]), problem.cost[k, : n[k], : m[k]].numpy()
        assert (plans[k] * problem.cost[k]).sum().item() == pytest.approx(ot.emd2(a, b, C), abs=1e-7)
        assert plans[k, n[k] :].abs().sum() == 0
        assert plans[k, :, m[k] :].abs().sum() == 0


def test_exact_keeps_the_dtype(make_problem):
    assert limits.exact(make_problem([3], [3], torch.float32)).dtype == torch.float32


def test_exact_says_that_it_gave_up(make_problem, monkeypatch):
    monkeypatch.setattr(limits, "MAX_PIVOTS", 1)
    with pytest.raises(NotConverged, match="plan 0"), pytest.warns(UserWarning, match="numItermax"):
        limits.exact(make_problem([20], [20]))


def test_product_is_the_outer_product(make_problem):
    problem = make_problem([2, 1], [4, 2])
    plans = limits.product(problem)
    assert torch.allclose(plans[0], torch.full((2, 4), 1 / 8, dtype=torch.float64))
    assert plans[1].tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0, 0]]
