import numpy as np
import ot
import pytest
import torch

from optical_cli.errors import NotConverged
from optical_cli.transport import limits, solve


def test_exact_costs_what_emd_says_without_the_padding(make_problem):
    n, m = [5, 9, 1], [7, 4, 3]
    problem = make_problem(n, m)
    plans = limits.exact(problem).plan
    for k in range(3):
        a, b, C = np.full(n[k], 1 / n[k]), np.full(m[k], 1 / m[k]), problem.cost[k, : n[k], : m[k]].numpy()
        assert (plans[k] * problem.cost[k]).sum().item() == pytest.approx(ot.emd2(a, b, C), abs=1e-7)
        assert plans[k, n[k] :].abs().sum() == 0
        assert plans[k, :, m[k] :].abs().sum() == 0


def test_exact_keeps_the_dtype(make_problem):
    assert limits.exact(make_problem([3], [3], torch.float32)).plan.dtype == torch.float32


def test_exact_says_that_it_gave_up(make_problem, monkeypatch):
    monkeypatch.setattr(limits, "MAX_PIVOTS", 1)
    with pytest.raises(NotConverged, match="plan 0"), pytest.warns(UserWarning, match="numItermax"):
        limits.exact(make_problem([20], [20]))


def test_product_is_the_outer_product(make_problem):
    problem = make_problem([2, 1], [4, 2])
    plans = limits.product(problem).plan
    assert torch.allclose(plans[0], torch.full((2, 4), 1 / 8, dtype=torch.float64))
    assert plans[1].tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0, 0]]


def test_exact_potentials_price_every_pair_and_meet_where_mass_goes(make_problem):
    problem = make_problem([6], [6])
    plan, f, g, _ = limits.exact(problem)
    slack = problem.cost - f[:, :, None] - g[:, None, :]
    assert slack.min() > -1e-9
    assert (slack * plan).sum().item() == pytest.approx(0, abs=1e-9)


def test_entropic_potentials_go_to_those_of_the_product(make_problem):
    problem = make_problem([6, 4], [3, 5])
    f, g = solve(problem, 1e4, threshold=1e-9).potentials
    expected = limits.product(problem)
    total = f[:, :, None] + g[:, None, :], expected.f[:, :, None] + expected.g[:, None, :]
    mass = expected.plan > 0
    assert torch.allclose(total[0][mass], total[1][mass], atol=1e-3)
