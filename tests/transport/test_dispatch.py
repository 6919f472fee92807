import math
import subprocess
import sys

import numpy as np
import ot
import pytest
import torch

from optical_cli.errors import ConfigError, DataError, NotConverged
from optical_cli.transport import TransportProblem, cosine_cost, dispatch, solve, uniform_marginals


def regularized_optimum(cost, a, b, reg):
    P = solve(TransportProblem(cost, a, b), reg, threshold=1e-10, max_iterations=1_000_000).plan
    return (P * cost).sum() + reg * (P * (P.log() - 1)).sum()


@pytest.mark.parametrize("reg", [-0.1, math.nan, -math.inf, 0.0005])
def test_a_reg_out_of_range_is_refused(make_problem, reg):
    with pytest.raises(ConfigError, match=r"^reg: 0 \(exact\), a number from 0.001 up, or inf"):
        solve(make_problem([2], [2]), reg)


@pytest.mark.parametrize("threshold", [0, -1e-4, 1.0, math.nan])
def test_a_threshold_out_of_range_is_refused(make_problem, threshold):
    with pytest.raises(ConfigError, match="threshold"):
        solve(make_problem([2], [2]), 0.1, threshold=threshold)


def test_a_limit_of_no_iterations_is_refused(make_problem):
    with pytest.raises(ConfigError, match="max_iterations"):
        solve(make_problem([2], [2]), 0.1, max_iterations=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"reg": 0.1, "solver": "emd"},
            "solver: one of sinkhorn, exact, proximal, unbalanced, quadratic expected, found emd",
        ),
        ({"reg": 0.1, "solver": "exact"}, "reg: 0 alone expected"),
        ({"reg": 0, "solver": "unbalanced"}, "reg: at least 0.001 expected"),
        ({"reg": 0.1, "solver": "unbalanced", "reg_marginal": 0}, "reg_marginal: a number above 0 expected, found 0"),
        ({"reg": 0.1, "solver": "proximal", "steps": 0}, "steps: a number from 1 up expected, found 0"),
        ({"reg": 0.1, "solver": "proximal", "steps": 101}, "reg: at least 0.101 expected .*steps is 101"),
        ({"reg": 0.1, "solver": "sinkhorn", "steps": 2}, "steps: the solver sinkhorn has no such setting"),
    ],
)
def test_a_solver_refuses_settings_out_of_range(make_problem, settings, message):
    with pytest.raises(ConfigError, match=message):
        solve(make_problem([2], [2]), **settings)


@pytest.mark.parametrize("f", [torch.zeros(1, 3), torch.tensor([[0.0, math.nan]])])
def test_a_start_that_does_not_fit_is_refused(make_problem, f):
    with pytest.raises(DataError, match=r"start: f (of shape \(1, 2\) expected, found \(1, 3\)|is not finite)"):
        solve(make_problem([2], [2]), 0.1, start=(f, torch.zeros(1, 2)))


@pytest.mark.parametrize("solver", ["sinkhorn", "unbalanced", "quadratic"])
def test_a_start_from_potentials_saves_iterations(make_problem, solver):
    problem = make_problem([20, 13], [17, 20], torch.float32)
    before = solve(problem, 0.02, solver)
    again = solve(problem, 0.02, solver, start=before.potentials)
    assert again.converged.all()
    assert again.iterations.sum() < before.iterations.sum()
    assert torch.allclose(again.plan, before.plan, atol=1e-4)


@pytest.mark.parametrize("solver", ["sinkhorn", "proximal", "quadratic"])
@pytest.mark.parametrize("reg", [0, math.inf])
def test_all_solvers_agree_at_reg_0_and_inf(make_problem, solver, reg):
    problem = make_problem([5, 3], [4, 6])
    assert torch.equal(solve(problem, reg, solver).plan, solve(problem, reg).plan)


@pytest.mark.parametrize("solver", ["sinkhorn", "proximal", "unbalanced", "quadratic"])
@pytest.mark.parametrize("reg", [0.01, 0.1, 1.0])
def test_every_solver_converges_and_reports_iterations_and_potentials(make_problem, solver, reg):
    problem = make_problem([14, 3, 1], [10, 12, 4], torch.float32)
    coupling = solve(problem, reg, solver)
    assert coupling.converged.all()
    assert (coupling.iterations > 0).all()
    assert (coupling.mass > 0.1).all()
    assert all(potential.isfinite().all() for potential in coupling.potentials)


@pytest.mark.parametrize("reg", [0, 0.001, 0.05, 1.0, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_reg_of_the_grid_converges(make_problem, reg, dtype):
    problem = make_problem([14, 3], [10, 12], dtype)
    coupling = solve(problem, reg)
    assert coupling.converged.all()
    assert coupling.threshold == 1e-5
    assert coupling.plan.dtype == dtype
    assert (coupling.iterations > 0).all() == (0 < reg < math.inf)


def test_a_small_reg_leads_to_the_exact_cost(make_problem):
    problem = make_problem([25, 14], [20, 14])
    exact = solve(problem, 0).cost(problem.cost)
    gaps = [
        (solve(problem, reg, threshold=1e-6, max_iterations=100_000).cost(problem.cost) - exact)
        for reg in (0.02, 0.005, 0.001)
    ]
    assert (gaps[0] > gaps[1]).all()
    assert (gaps[1] > gaps[2]).all()
    assert (gaps[2] > -1e-5).all()  # a cost below the exact one is a plan that has not converged
    assert (gaps[2] < 1e-3).all()


def test_a_large_reg_leads_to_the_product(make_problem):
    problem = make_problem([25, 14], [20, 14])
    product = solve(problem, math.inf).plan
    gaps = [(solve(problem, reg, threshold=1e-8).plan - product).abs().sum().item() for reg in (1, 10, 100, 1e6)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[1] < 0.1
    assert gaps[3] < 1e-6


def test_effective_targets_grow_with_reg(make_problem):
    problem = make_problem([20], [20])
    targets = [solve(problem, reg).effective_targets.item() for reg in (0, 0.01, 0.1, 1, math.inf)]
    assert targets == sorted(targets)
    assert targets[0] == pytest.approx(1, abs=1e-4)
    assert targets[-1] == pytest.approx(20, abs=1e-3)


def test_the_gradient_is_that_of_the_regularized_optimum(make_problem):
    problem = make_problem([4], [5])
    a, b, reg, step = problem.a, problem.b, 0.1, 1e-4
    cost = problem.cost.clone().requires_grad_()
    coupling = solve(TransportProblem(cost.detach(), a, b), reg, threshold=1e-10, max_iterations=1_000_000)
    coupling.cost(cost).sum().backward()
    for i, j in [(0, 0), (1, 3), (3, 4)]:
        bump = torch.zeros_like(problem.cost)
        bump[0, i, j] = step
        up, down = (regularized_optimum(problem.cost + sign * bump, a, b, reg) for sign in (1, -1))
        assert cost.grad[0, i, j].item() == pytest.approx(((up - down) / (2 * step)).item(), abs=1e-6)


def test_the_gradient_of_relaxed_marginals_is_that_of_their_optimum(make_problem):
    problem, reg, rho, step = make_problem([4], [5]), 0.1, 0.5, 1e-4
    tight = {"solver": "unbalanced", "reg_marginal": rho, "threshold": 1e-11, "max_iterations": 100_000}

    def divergence(x, reference):
        return (x * (x / reference).log() - x + reference).sum()

    def optimum(cost):
        P = solve(TransportProblem(cost, problem.a, problem.b), reg, **tight).plan
        marginals = divergence(P.sum(2), problem.a) + divergence(P.sum(1), problem.b)
        return (
            (P * cost).sum() + reg * divergence(P, problem.a[:, :, None] * problem.b[:, None]) + rho * marginals
        ).item()

    plan = solve(problem, reg, **tight).plan
    for i, j in [(0, 0), (1, 3), (3, 4)]:
        bump = torch.zeros_like(problem.cost)
        bump[0, i, j] = step
        slope = (optimum(problem.cost + bump) - optimum(problem.cost - bump)) / (2 * step)
        assert plan[0, i, j].item() == pytest.approx(slope, abs=1e-6)


def test_the_iterations_leave_no_graph():
    tokens = torch.nn.functional.normalize(torch.randn(1, 4, 8), dim=-1).requires_grad_()
    mask = torch.ones(1, 4, dtype=torch.bool)
    cost = cosine_cost(tokens, tokens)
    coupling = solve(TransportProblem(cost, uniform_marginals(mask), uniform_marginals(mask)), 0.1)
    assert not coupling.plan.requires_grad
    assert not coupling.marginal_error.requires_grad
    assert coupling.cost(cost).requires_grad


def test_numba_and_pot_are_imported_on_first_use():
    code = "import sys, optical_cli.transport.dispatch; sys.exit(bool({'numba', 'ot'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_exact_cost_equals_that_of_pot_without_padding(make_problem):
    n, m = [5, 9, 1], [7, 4, 3]
    problem = make_problem(n, m)
    plans = dispatch.exact(problem).plan
    for k in range(3):
        a, b, C = np.full(n[k], 1 / n[k]), np.full(m[k], 1 / m[k]), problem.cost[k, : n[k], : m[k]].numpy()
        assert (plans[k] * problem.cost[k]).sum().item() == pytest.approx(ot.emd2(a, b, C), abs=1e-7)
        assert plans[k, n[k] :].abs().sum() == 0
        assert plans[k, :, m[k] :].abs().sum() == 0


def test_exact_keeps_the_dtype(make_problem):
    assert dispatch.exact(make_problem([3], [3], torch.float32)).plan.dtype == torch.float32


def test_exact_raises_when_it_gives_up(make_problem, monkeypatch):
    monkeypatch.setattr(dispatch, "MAX_PIVOTS", 1)
    with pytest.raises(NotConverged, match="plan 0"), pytest.warns(UserWarning, match="numItermax"):
        dispatch.exact(make_problem([20], [20]))


def test_product_is_the_outer_product(make_problem):
    problem = make_problem([2, 1], [4, 2])
    plans = dispatch.product(problem).plan
    assert torch.allclose(plans[0], torch.full((2, 4), 1 / 8, dtype=torch.float64))
    assert plans[1].tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0, 0]]


def test_exact_potentials_are_dual_feasible_and_tight_where_mass_goes(make_problem):
    problem = make_problem([6], [6])
    plan, f, g, _ = dispatch.exact(problem)
    slack = problem.cost - f[:, :, None] - g[:, None, :]
    assert slack.min() > -1e-9
    assert (slack * plan).sum().item() == pytest.approx(0, abs=1e-9)


def test_entropic_potentials_approach_those_of_the_product(make_problem):
    problem = make_problem([6, 4], [3, 5])
    f, g = solve(problem, 1e4, threshold=1e-9).potentials
    expected = dispatch.product(problem)
    total = f[:, :, None] + g[:, None, :], expected.f[:, :, None] + expected.g[:, None, :]
    mass = expected.plan > 0
    assert torch.allclose(total[0][mass], total[1][mass], atol=1e-3)
