import pytest
import torch

from bench.peers import TARGET, calibrated, geomloss_batch, marginal_errors, pot_batch, pot_emd, pot_loop
from bench.problems import make_problem
from optical_cli.transport import solve


@pytest.fixture
def problem():
    return make_problem(6, 12, 10)


@pytest.mark.parametrize("solver", [pot_batch, pot_loop])
def test_a_calibrated_peer_reaches_the_target_and_no_less(solver, problem):
    tolerance = calibrated(solver, problem, 0.05)
    error = marginal_errors(problem, solver(problem, 0.05, tolerance)).max()
    assert 0.2 * TARGET < error < 1.1 * TARGET


@pytest.mark.parametrize("solver", [pot_batch, pot_loop])
def test_a_peer_finds_our_plans(solver, problem):
    torch.testing.assert_close(
        solver(problem, 0.1, 1e-6), solve(problem, 0.1, threshold=1e-5).plan, atol=1e-5, rtol=0.0
    )


def test_the_exact_peer_finds_our_cost(problem):
    plan = pot_emd(problem)
    found = (plan * problem.cost.double()).sum((1, 2))
    torch.testing.assert_close(found, solve(problem, 0).cost(problem.cost).double(), atol=1e-6, rtol=0.0)


def test_the_reg_of_geomloss_has_the_meaning_of_ours(problem):
    pytest.importorskip("geomloss")
    cost = (geomloss_batch(problem, 0.1) * problem.cost).sum((1, 2))
    ours, others = (solve(problem, reg).cost(problem.cost) for reg in (0.1, 0.11))
    assert ((cost - ours).abs() < 0.3 * (others - ours).abs()).all()
