"""Quadratic regularization in numba and torch, against POT, scipy, the optimality conditions and each other."""

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from optical_cli.transport import TransportProblem, dispatch, quadratic_numba
from optical_cli.transport.quadratic import quadratic_in_torch

ENGINES = [quadratic_numba.quadratic, quadratic_in_torch]
BOTH = pytest.mark.parametrize("quadratic", ENGINES, ids=["numba", "torch"])


def marginal_error(problem, plan):
    rows = (plan.sum(2, dtype=torch.float64) - problem.a).abs().sum(1)
    return rows + (plan.sum(1, dtype=torch.float64) - problem.b).abs().sum(1)


def plan_of_potentials(problem, solution, reg):
    """The plan of these potentials; by the KKT conditions, it is optimal if it has the marginals of the problem."""
    f, g = solution.f[:, :, None].double(), solution.g[:, None, :].double()
    return problem.a[:, :, None] * problem.b[:, None, :] * (f + g - problem.cost).clamp(min=0) / reg


def cost_of(problem, plan):
    return (plan * problem.cost).sum(dim=(1, 2))


def uniform(cost):
    size, n, m = cost.shape
    return TransportProblem(cost, torch.full((size, n), 1 / n), torch.full((size, m), 1 / m))


def skewed(cost, seed=0):
    """A problem of these costs with token masses that differ by a factor of thousands."""
    generator = np.random.default_rng(seed)
    a, b = (torch.from_numpy(generator.gamma(0.5, size=(len(cost), k)) + 1e-4) for k in cost.shape[1:])
    return TransportProblem(cost, a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True))


@BOTH
@pytest.mark.parametrize("reg", [0.02, 0.1, 1.0])
def test_same_plan_as_pot(make_problem, quadratic, reg):
    n, m = [12, 8], [9, 11]
    problem = make_problem(n, m)
    solution = quadratic(problem, reg, 1e-9, 1000)
    assert (marginal_error(problem, solution.plan) <= 1e-9).all()
    for k in range(2):
        a, b, C = np.full(n[k], 1 / n[k]), np.full(m[k], 1 / m[k]), problem.cost[k, : n[k], : m[k]].numpy()
        in_units_of_pot = reg * n[k] * m[k]  # POT's quadratic term is not divided by a_i b_j
        expected = ot.smooth.smooth_ot_dual(a, b, C, in_units_of_pot, reg_type="l2", numItermax=5000, stopThr=1e-13)
        np.testing.assert_allclose(solution.plan[k, : n[k], : m[k]].numpy(), expected, atol=1e-6)


@BOTH
@pytest.mark.parametrize("reg", [0.05, 0.5])
def test_same_plan_as_a_general_solver_for_unequal_masses(make_problem, quadratic, reg):
    problem = skewed(make_problem([4], [5]).cost)
    C, a, b = (x[0].numpy() for x in (problem.cost, problem.a, problem.b))
    weights = a[:, None] * b
    plan = minimize(
        lambda P: P @ C.ravel() + reg / 2 * (P**2 / weights.ravel()).sum(),
        weights.ravel(),
        jac=lambda P: C.ravel() + reg * P / weights.ravel(),
        bounds=[(0, None)] * 20,
        constraints={
            "type": "eq",
            "fun": lambda P: np.concatenate([P.reshape(4, 5).sum(1) - a, P.reshape(4, 5).sum(0)[:-1] - b[:-1]]),
        },
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x.reshape(4, 5)
    np.testing.assert_allclose(quadratic(problem, reg, 1e-10, 1000).plan[0].numpy(), plan, atol=1e-5)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reg", [0.001, 0.01, 0.1, 1.0, 1e6])
def test_every_plan_meets_the_threshold_and_has_its_potentials(make_problem, quadratic, dtype, reg):
    problem = make_problem([20, 13, 1, 6], [17, 20, 5, 1], dtype)
    solution = quadratic(problem, reg, 1e-4, 100)
    assert (marginal_error(problem, solution.plan) <= 1e-4).all()
    assert [x.dtype for x in solution] == [dtype, dtype, dtype, torch.int64]
    assert [tuple(x.shape) for x in solution] == [(4, 20, 20), (4, 20), (4, 20), (4,)]
    assert solution.iterations.min() >= 1
    # Rounded to float32, potentials are off by 1e-7, which is 1e-4 of the smallest reg.
    tolerance = 1e-3 if dtype == torch.float32 else 1e-10
    entries = problem.a[:, :, None] * problem.b[:, None, :]
    off = (plan_of_potentials(problem, solution, reg) - solution.plan).abs()
    assert (off <= tolerance * entries).all()


@BOTH
def test_padding_is_zero_and_changes_nothing(make_problem, quadratic):
    problem = make_problem([7, 15], [12, 4], torch.float32)
    problem.cost[0, 7:] = torch.linspace(-1e20, 1e30, 12)
    problem.cost[1, :, 4:] = torch.linspace(-1e30, 1e20, 15)[:, None]
    padded = quadratic(problem, 0.05, 1e-6, 1000)
    alone = quadratic(TransportProblem(problem.cost[:1, :7], problem.a[:1, :7], problem.b[:1]), 0.05, 1e-6, 1000)
    assert torch.allclose(padded.plan[:1, :7], alone.plan, atol=1e-7)
    assert padded.iterations[0] == alone.iterations[0]
    for of_padding in (padded.plan[0, 7:], padded.plan[1, :, 4:], padded.f[0, 7:], padded.g[1, 4:]):
        assert of_padding.abs().sum() == 0


@BOTH
def test_a_start_is_ignored_on_padding(make_problem, quadratic):
    problem = make_problem([7, 15], [12, 4])
    start = quadratic(problem, 0.05, 1e-6, 1000).g
    expected = quadratic(problem, 0.05, 1e-6, 1000, start=start)
    start[1, 4:] = 1e3
    for ours, theirs in zip(quadratic(problem, 0.05, 1e-6, 1000, start=start), expected, strict=True):
        assert torch.allclose(ours, theirs)


@BOTH
def test_far_padding_beside_a_plan_with_exact_marginals(quadratic):
    cost = torch.tensor([[[2, 1, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 1, 1, 2], [0, 8, 8, 0]]]) / 2
    a, b = torch.tensor([[1, 1, 1, 1, 0]]) / 4, torch.ones(1, 4) / 4
    problem = TransportProblem(cost.double(), a, b)
    solution = quadratic(problem, 2**-10, 1e-6, 100)
    assert marginal_error(problem, solution.plan).item() <= 1e-6


@BOTH
def test_tokens_without_mass_may_stand_anywhere(make_problem, quadratic):
    problem = make_problem([6], [6])
    order = torch.tensor([0, 4, 1, 5, 2, 3])
    a = torch.tensor([[0.5, 0.2, 0.3, 0, 0, 0]])
    shuffled = TransportProblem(problem.cost[:, order], a[:, order], problem.b)
    straight = quadratic(TransportProblem(problem.cost, a, problem.b), 0.05, 1e-9, 1000)
    assert torch.allclose(quadratic(shuffled, 0.05, 1e-9, 1000).plan, straight.plan[:, order], atol=1e-9)


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.1, 1e6])
def test_a_single_token_takes_all(make_problem, quadratic, reg):
    plan = quadratic(make_problem([1], [5]), reg, 1e-6, 100).plan
    assert torch.allclose(plan, torch.full((1, 1, 5), 0.2, dtype=torch.float64))


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.05])
def test_identical_sentences_align_with_themselves(quadratic, reg):
    cost = 1 - torch.eye(8)[None]
    assert torch.allclose(quadratic(uniform(cost), reg, 1e-4, 100).plan, torch.eye(8)[None] / 8)


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.1, 1e6])
def test_identical_tokens_share_everything(quadratic, reg):
    assert torch.allclose(quadratic(uniform(torch.full((1, 3, 4), 0.3)), reg, 1e-4, 100).plan, torch.tensor(1 / 12))


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.01, 0.1])
def test_repeated_tokens_receive_equal_mass(make_problem, quadratic, reg):
    words = make_problem([5], [4]).cost
    cost = words.repeat_interleave(6, dim=1).repeat_interleave(9, dim=2)  # ties throughout
    plan = quadratic(uniform(cost), reg, 1e-9, 1000).plan
    of_words = quadratic(uniform(words), reg, 1e-9, 1000).plan
    expected = (of_words / 54).repeat_interleave(6, dim=1).repeat_interleave(9, dim=2)
    assert torch.allclose(plan, expected, atol=1e-8)


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.02, 1.0])
def test_a_token_far_from_all_others_is_reached(quadratic, reg):
    cost = torch.full((1, 5, 5), 0.3) - 0.3 * torch.eye(5)
    cost[:, :, 2] = 2
    problem = uniform(cost)
    plan = quadratic(problem, reg, 1e-4, 1000).plan
    assert marginal_error(problem, plan).item() <= 1e-4
    assert plan[0, :, 2].sum().item() == pytest.approx(0.2, abs=1e-4)


@BOTH
@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_plan_at_the_limit_of_iterations_has_not_converged(make_problem, quadratic, limit):
    problem = make_problem([30], [30], torch.float32)
    solution = quadratic(problem, 0.001, 1e-4, limit)
    assert solution.iterations.tolist() == [limit]
    assert marginal_error(problem, solution.plan).item() > 1e-4
    assert solution.plan.sum().item() == pytest.approx(1, abs=1e-3)  # the columns have their marginals


@pytest.mark.parametrize("reg", [0.001, 0.02, 0.1, 1.0, 1e6])
@pytest.mark.parametrize("masses", [lambda problem: problem, lambda problem: skewed(problem.cost)])
def test_numba_and_torch_agree(make_problem, masses, reg):
    problem = masses(make_problem([16, 9, 12], [13, 16, 2]))
    fast, plain = (quadratic(problem, reg, 1e-6, 1000) for quadratic in ENGINES)
    assert torch.allclose(fast.plan, plain.plan, atol=1e-6)
    assert torch.allclose(cost_of(problem, fast.plan), cost_of(problem, plain.plan), atol=1e-6)


@BOTH
def test_costs_of_a_wide_range_converge(quadratic):
    problem = skewed(100 * torch.rand(2, 15, 18, generator=torch.Generator().manual_seed(5), dtype=torch.float64))
    assert (marginal_error(problem, quadratic(problem, 0.001, 1e-6, 1000).plan) <= 1e-6).all()


@BOTH
def test_a_small_reg_leads_to_the_exact_cost(make_problem, quadratic):
    problem = make_problem([25, 14], [20, 14])
    exact = cost_of(problem, dispatch.exact(problem).plan)
    regs = (0.1, 0.02, 0.005, 0.001)
    gaps = torch.stack([cost_of(problem, quadratic(problem, reg, 1e-10, 1000).plan) - exact for reg in regs])
    assert (gaps.diff(dim=0) <= 1e-9).all()
    assert (gaps[-1] > -1e-9).all()  # a cost below the exact one is a plan that has not converged
    assert (gaps[-1] < 1e-3).all()


@BOTH
def test_a_large_reg_leads_to_the_product(make_problem, quadratic):
    problem = make_problem([25, 14], [20, 14])
    product = dispatch.product(problem).plan
    gaps = [(quadratic(problem, reg, 1e-10, 1000).plan - product).abs().sum().item() for reg in (0.1, 1, 10, 100, 1e6)]
    assert gaps == sorted(gaps, reverse=True)
    # Once all entries are positive, the plan is the product and a part that falls as 1 / reg.
    assert gaps[3] == pytest.approx(gaps[2] / 10, rel=1e-6)
    assert gaps[4] < 1e-5


@BOTH
def test_plans_are_sparser_at_smaller_reg(make_problem, quadratic):
    problem = make_problem([30], [30])
    nonzero = [(quadratic(problem, reg, 1e-6, 1000).plan > 0).double().mean().item() for reg in (0.001, 0.02, 0.1, 2.0)]
    assert nonzero == sorted(nonzero)
    assert nonzero[0] < 59 / 900 + 0.05  # a vertex of the polytope has n + m - 1 entries at most
    assert nonzero[-1] == 1


@BOTH
def test_adding_a_constant_to_the_costs_of_a_token_changes_nothing(make_problem, quadratic):
    problem = make_problem([9], [12])
    shift = torch.linspace(-3, 4, 9)[None, :, None] + torch.linspace(2, -1, 12)[None, None, :]
    shifted = TransportProblem(problem.cost + shift, problem.a, problem.b)
    before, after = (quadratic(p, 0.05, 1e-10, 1000) for p in (problem, shifted))
    assert torch.allclose(before.plan, after.plan, atol=1e-9)
    assert before.iterations == after.iterations


@BOTH
def test_the_gradient_is_that_of_the_regularized_optimum(make_problem, quadratic):
    problem, reg, step = skewed(make_problem([4], [5]).cost), 0.1, 1e-5

    def optimum(cost):
        P = quadratic(TransportProblem(cost, problem.a, problem.b), reg, 1e-12, 1000).plan
        return ((P * cost).sum() + reg / 2 * (P**2 / dispatch.product(problem).plan).sum()).item()

    plan = quadratic(problem, reg, 1e-12, 1000).plan
    for i in range(4):
        for j in range(5):
            bump = torch.zeros_like(problem.cost)
            bump[0, i, j] = step
            slope = (optimum(problem.cost + bump) - optimum(problem.cost - bump)) / (2 * step)
            assert plan[0, i, j].item() == pytest.approx(slope, abs=1e-8)


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.02])
def test_a_start_nearby_saves_iterations(make_problem, quadratic, reg):
    problem = make_problem([25, 12], [20, 25], torch.float32)
    first = quadratic(problem, reg, 1e-4, 1000)
    moved = TransportProblem(problem.cost + 1e-4 * torch.rand_like(problem.cost), problem.a, problem.b)
    cold, warm = quadratic(moved, reg, 1e-4, 1000), quadratic(moved, reg, 1e-4, 1000, start=first.g)
    assert (marginal_error(moved, warm.plan) <= 1e-4).all()
    assert warm.iterations.sum() <= 0.7 * cold.iterations.sum()
    assert torch.allclose(cost_of(moved, warm.plan), cost_of(moved, cold.plan), atol=1e-4)


@BOTH
@pytest.mark.parametrize("scale", [0.1, 1e4])
def test_a_start_far_off_leads_to_the_same_plan(make_problem, quadratic, scale):
    problem = make_problem([14, 5], [10, 14])
    start = scale * torch.randn(2, 14, generator=torch.Generator().manual_seed(3))
    expected = quadratic(problem, 0.01, 1e-9, 1000).plan
    assert torch.allclose(quadratic(problem, 0.01, 1e-9, 1000, start=start).plan, expected, atol=1e-9)


def test_a_plan_has_the_same_bits_alone_and_in_a_batch(make_problem):
    problem = make_problem(list(range(1, 41)), list(range(40, 0, -1)), torch.float32)
    together = quadratic_numba.quadratic(problem, 0.02, 1e-4, 1000)
    for k in (0, 17, 39):
        alone = TransportProblem(problem.cost[k : k + 1], problem.a[k : k + 1], problem.b[k : k + 1])
        for ours, theirs in zip(quadratic_numba.quadratic(alone, 0.02, 1e-4, 1000), together, strict=True):
            assert torch.equal(ours[0], theirs[k])


def test_mixed_lengths_up_to_512(make_problem):
    n, m = [1, 512, 37, 300, 512], [512, 1, 40, 280, 500]
    problem = make_problem(n, m, torch.float32)
    plan = quadratic_numba.quadratic(problem, 0.02, 1e-4, 1000).plan
    assert (marginal_error(problem, plan) <= 1e-4).all()
    for k in range(5):
        assert plan[k, n[k] :].abs().sum() == 0
        assert plan[k, :, m[k] :].abs().sum() == 0


def quantised(numbers):
    """Round half of the drawn numbers to steps of 1/4, so that ties are frequent."""
    return st.one_of(numbers, numbers.map(lambda x: round(4 * x) / 4))


@BOTH
@settings(max_examples=40, deadline=None, database=None)
@given(
    cost=arrays(np.float64, (2, 6, 5), elements=quantised(st.floats(0, 2, width=32))),
    a=arrays(np.float64, (2, 6), elements=st.sampled_from([0.0, 1e-3, 0.5, 1.0])),
    b=arrays(np.float64, (2, 5), elements=st.sampled_from([0.0, 1e-3, 0.5, 1.0])),
    reg=st.sampled_from([0.001, 0.02, 0.1, 0.5, 5.0, 1e6]),
)
def test_every_plan_is_the_optimum(quadratic, cost, a, b, reg):
    a[:, 0], b[:, 4] = 0.5, 0.5  # no side without mass
    masses = (torch.from_numpy(x / x.sum(axis=1, keepdims=True)) for x in (a, b))
    problem = TransportProblem(torch.from_numpy(cost), *masses)
    solution = quadratic(problem, reg, 1e-8, 1000)
    assert (marginal_error(problem, solution.plan) <= 1e-8).all()
    assert torch.allclose(plan_of_potentials(problem, solution, reg), solution.plan, rtol=1e-9, atol=1e-12)
