"""Entropic transport in numba and torch, against POT and each other."""

import concurrent.futures
import math

import numpy as np
import ot
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.problems import make_problem as make_costs
from optical_cli.transport import Coupling, TransportProblem, batch_numba, sinkhorn_numba
from optical_cli.transport.sinkhorn import epsilon_scaling, proximal_steps, run_stages_in_torch, straight

ENGINES = [sinkhorn_numba.run_stages, run_stages_in_torch]
BOTH = pytest.mark.parametrize("sinkhorn", ENGINES, ids=["numba", "torch"])


def coupling_of(sinkhorn, problem, reg, threshold=1e-4, max_iterations=10_000, reg_marginal=math.inf, start=None):
    way = epsilon_scaling if start is None else straight
    found = sinkhorn(problem, way(reg, threshold, max_iterations), reg_marginal, start)
    return Coupling(problem, found.plan, (found.f, found.g), found.iterations, threshold, reg_marginal)


def by_product(coupling, reg):
    """The plan recomputed from its potentials."""
    (f, g), problem = coupling.potentials, coupling.problem
    density = torch.exp((f[:, :, None] + g[:, None, :] - problem.cost) / reg)
    return problem.a[:, :, None] * problem.b[:, None, :] * density


@BOTH
@pytest.mark.parametrize("reg", [0.02, 0.1, 1.0, 10.0])
def test_same_plan_as_pot(make_problem, sinkhorn, reg):
    n, m = [12, 8], [9, 11]
    problem = make_problem(n, m)
    coupling = coupling_of(sinkhorn, problem, reg, threshold=1e-8, max_iterations=100_000)
    assert coupling.converged.all()
    for k in range(2):
        a, b, C = np.full(n[k], 1 / n[k]), np.full(m[k], 1 / m[k]), problem.cost[k, : n[k], : m[k]].numpy()
        expected = ot.sinkhorn(a, b, C, reg, method="sinkhorn_log", numItermax=100_000, stopThr=1e-9)
        np.testing.assert_allclose(coupling.plan[k, : n[k], : m[k]].numpy(), expected, atol=1e-6)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reg", [0.001, 0.005, 0.05, 1.0])
def test_every_plan_meets_the_threshold(make_problem, sinkhorn, dtype, reg):
    problem = make_problem([20, 13, 1, 6], [17, 20, 5, 1], dtype)
    coupling = coupling_of(sinkhorn, problem, reg)
    assert coupling.converged.all()
    assert coupling.plan.dtype == dtype
    assert coupling.mass.tolist() == pytest.approx([1] * 4, abs=1e-4)
    assert coupling.iterations.dtype == torch.int64


@BOTH
@pytest.mark.parametrize(
    "stages", [epsilon_scaling(0.005, 1e-5, 10_000), proximal_steps(0.1, 10, 1e-5, 10_000)], ids=["reg", "proximal"]
)
def test_float32_costs_like_those_of_sentences_meet_the_default_threshold(sinkhorn, stages):
    problem = make_costs(32, 32, 32)
    found = sinkhorn(problem, stages)
    coupling = Coupling(problem, found.plan, (found.f, found.g), found.iterations, 1e-5)
    assert coupling.converged.all()
    assert {x.dtype for x in (found.plan, found.f, found.g)} == {torch.float32}


@BOTH
def test_padding_is_zero_and_changes_nothing(make_problem, sinkhorn):
    problem = make_problem([7, 15], [12, 4], torch.float32)
    padded = coupling_of(sinkhorn, problem, 0.05)
    alone = TransportProblem(problem.cost[:1, :7], problem.a[:1, :7], problem.b[:1])
    assert torch.allclose(padded.plan[:1, :7], coupling_of(sinkhorn, alone, 0.05).plan, atol=1e-6)
    assert padded.plan[0, 7:].abs().sum() == 0
    assert padded.plan[1, :, 4:].abs().sum() == 0


@BOTH
def test_tokens_without_mass_may_stand_anywhere(make_problem, sinkhorn):
    problem = make_problem([6], [6])
    order = torch.tensor([0, 4, 1, 5, 2, 3])
    a = torch.tensor([[0.5, 0.2, 0.3, 0, 0, 0]])
    shuffled = TransportProblem(problem.cost[:, order], a[:, order], problem.b)
    straight = coupling_of(sinkhorn, TransportProblem(problem.cost, a, problem.b), 0.05, 1e-8)
    assert torch.allclose(coupling_of(sinkhorn, shuffled, 0.05, 1e-8).plan, straight.plan[:, order], atol=1e-6)


@BOTH
def test_a_single_token_takes_all(make_problem, sinkhorn):
    problem = make_problem([1], [5])
    assert torch.allclose(coupling_of(sinkhorn, problem, 0.01).plan, torch.full((1, 1, 5), 0.2, dtype=torch.float64))


@BOTH
def test_identical_sentences_align_with_themselves(sinkhorn):
    cost = 1 - torch.eye(8)[None]
    problem = TransportProblem(cost, torch.full((1, 8), 1 / 8), torch.full((1, 8), 1 / 8))
    coupling = coupling_of(sinkhorn, problem, 0.05)
    assert torch.allclose(coupling.plan, torch.eye(8)[None] / 8, atol=1e-6)
    assert coupling.effective_targets.item() == pytest.approx(1, abs=1e-4)


@BOTH
def test_identical_tokens_share_everything(sinkhorn):
    problem = TransportProblem(torch.zeros(1, 3, 4), torch.full((1, 3), 1 / 3), torch.full((1, 4), 1 / 4))
    assert torch.allclose(coupling_of(sinkhorn, problem, 0.001).plan, torch.full((1, 3, 4), 1 / 12))


@BOTH
@pytest.mark.parametrize("reg", [0.001, 0.02, 0.026])
def test_a_token_far_from_all_others_is_reached(sinkhorn, reg):
    cost = torch.full((1, 5, 5), 0.3) - 0.3 * torch.eye(5)
    cost[:, :, 2] = 2  # at reg 0.026 that is exp(-1.7 / 0.026) of a row's nearest token: below the kernel's range
    problem = TransportProblem(cost, torch.full((1, 5), 1 / 5), torch.full((1, 5), 1 / 5))
    coupling = coupling_of(sinkhorn, problem, reg)
    assert coupling.converged.all()
    assert coupling.cost(cost).item() == pytest.approx(2 / 5, abs=1e-3)


@BOTH
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_a_plan_at_the_limit_of_iterations_has_not_converged(make_problem, sinkhorn, limit):
    coupling = coupling_of(sinkhorn, make_problem([20], [20], torch.float32), 0.005, max_iterations=limit)
    assert coupling.iterations.tolist() == [limit]
    assert not coupling.converged.item()
    assert coupling.marginal_error.item() > 1e-4


@pytest.mark.parametrize("reg", [0.001, 0.02, 0.1, 1.0, 1e9])
def test_numba_and_torch_agree(make_problem, reg):
    problem = make_problem([16, 9], [13, 16])
    fast, plain = (coupling_of(sinkhorn, problem, reg, threshold=1e-6, max_iterations=100_000) for sinkhorn in ENGINES)
    assert fast.converged.all()
    assert plain.converged.all()
    assert torch.allclose(fast.plan, plain.plan, atol=1e-5)
    assert torch.allclose(fast.cost(problem.cost), plain.cost(problem.cost), atol=1e-5)


def test_same_bits_for_any_number_of_threads(make_problem, monkeypatch):
    problem = make_problem(list(range(1, 41)), list(range(40, 0, -1)), torch.float32)
    way = epsilon_scaling(0.02, 1e-4, 10_000)
    alone = sinkhorn_numba.run_stages(problem, way)
    monkeypatch.setattr(batch_numba, "WORTH_SHARING", 0.0)
    monkeypatch.setattr(batch_numba, "get_num_threads", lambda: 5)
    shared = sinkhorn_numba.run_stages(problem, way)
    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))


def test_many_callers_at_once(make_problem):
    problem, way = make_problem([10] * 20, [12] * 20, torch.float32), epsilon_scaling(0.05, 1e-4, 10_000)
    expected = sinkhorn_numba.run_stages(problem, way).plan
    with concurrent.futures.ThreadPoolExecutor(4) as callers:
        plans = list(callers.map(lambda _: sinkhorn_numba.run_stages(problem, way).plan, range(8)))
    assert all(torch.equal(plan, expected) for plan in plans)


def test_mixed_lengths_up_to_512(make_problem):
    n, m = [1, 512, 37, 300, 512], [512, 1, 40, 280, 500]
    problem = make_problem(n, m, torch.float32)
    coupling = coupling_of(sinkhorn_numba.run_stages, problem, 0.1)
    assert coupling.converged.all()
    for k in range(5):
        assert coupling.plan[k, n[k] :].abs().sum() == 0
        assert coupling.plan[k, :, m[k] :].abs().sum() == 0


@pytest.mark.parametrize("reg", [0.005, 0.02])
def test_over_relaxation_saves_iterations(make_problem, reg, monkeypatch):
    problem = make_problem([30] * 2, [30] * 2)
    fast = coupling_of(run_stages_in_torch, problem, reg)
    monkeypatch.setattr("optical_cli.transport.sinkhorn._next_factor", lambda factor, _: torch.ones_like(factor))
    plain = coupling_of(run_stages_in_torch, problem, reg)
    assert fast.iterations.sum() < 0.5 * plain.iterations.sum()


@BOTH
@pytest.mark.parametrize("reg", [0.01, 0.1, 1.0])
def test_the_potentials_are_those_of_the_plan(make_problem, sinkhorn, reg):
    problem = make_problem([9, 14], [14, 6])
    coupling = coupling_of(sinkhorn, problem, reg, 1e-8)
    assert torch.allclose(by_product(coupling, reg), coupling.plan, atol=1e-9)
    f, g = coupling.potentials
    assert f[0, 9:].abs().sum() == g[1, 6:].abs().sum() == 0


@BOTH
@pytest.mark.parametrize("reg", [0.002, 0.02, 0.1])
def test_the_potentials_of_nearly_the_same_costs_are_a_good_start(make_problem, sinkhorn, reg):
    problem = make_problem([20, 13], [17, 20], torch.float32)
    before = coupling_of(sinkhorn, problem, reg)
    moved = TransportProblem(problem.cost + 1e-4 * torch.randn(problem.cost.shape), problem.a, problem.b)
    cold, warm = coupling_of(sinkhorn, moved, reg), coupling_of(sinkhorn, moved, reg, start=before.potentials[0])
    assert warm.converged.all()
    assert warm.iterations.sum() < cold.iterations.sum()
    assert torch.allclose(warm.cost(moved.cost), cold.cost(moved.cost), atol=2e-4)


@BOTH
def test_a_bad_start_is_recovered_from(make_problem, sinkhorn):
    problem = make_problem([12], [9], torch.float32)
    coupling = coupling_of(sinkhorn, problem, 0.02, start=torch.linspace(-1, 1, 12)[None])
    assert coupling.converged.all()
    assert torch.allclose(coupling.plan, coupling_of(sinkhorn, problem, 0.02).plan, atol=1e-4)


@BOTH
@pytest.mark.parametrize("reg", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("reg_marginal", [0.05, 1.0, 20.0])
def test_relaxed_marginals_equal_those_of_pot(make_problem, sinkhorn, reg, reg_marginal):
    n, m = [12, 8], [9, 11]
    problem = make_problem(n, m)
    coupling = coupling_of(sinkhorn, problem, reg, 1e-9, 100_000, reg_marginal)
    assert coupling.converged.all()
    for k in range(2):
        a, b, C = np.full(n[k], 1 / n[k]), np.full(m[k], 1 / m[k]), problem.cost[k, : n[k], : m[k]].numpy()
        expected = ot.unbalanced.sinkhorn_knopp_unbalanced(
            a, b, C, reg, reg_marginal, reg_type="kl", numItermax=100_000, stopThr=1e-12
        )
        np.testing.assert_allclose(coupling.plan[k, : n[k], : m[k]].numpy(), expected, atol=1e-6)


@BOTH
def test_a_token_far_from_all_others_loses_its_mass_with_relaxed_marginals(sinkhorn):
    cost = torch.full((1, 5, 5), 0.3) - 0.3 * torch.eye(5)
    cost[:, :, 2] = 2
    problem = TransportProblem(cost, torch.full((1, 5), 1 / 5), torch.full((1, 5), 1 / 5))
    received = [coupling_of(sinkhorn, problem, 0.02, reg_marginal=rho).plan[0, :, 2].sum() for rho in (0.1, 1.0, 100.0)]
    assert received[0] < 1e-4 < received[1] < received[2]
    assert received[2] == pytest.approx(1 / 5, abs=0.02)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("reg", [0.001, 0.01, 1.0])
def test_relaxed_plans_meet_the_threshold(make_problem, sinkhorn, dtype, reg):
    problem = make_problem([20, 13, 1, 6], [17, 20, 5, 1], dtype)
    coupling = coupling_of(sinkhorn, problem, reg, reg_marginal=0.5)
    assert coupling.converged.all()
    assert (coupling.mass > 0.05).all()


@BOTH
@pytest.mark.parametrize("steps", [1, 4, 10])
def test_proximal_steps_end_at_the_plan_of_reg_over_steps(make_problem, sinkhorn, steps):
    problem = make_problem([12, 8], [9, 11])
    found = sinkhorn(problem, proximal_steps(0.2, steps, 1e-8, 10_000))
    expected = coupling_of(sinkhorn, problem, 0.2 / steps, 1e-8)
    assert torch.allclose(found.plan, expected.plan, atol=1e-7)
    assert (found.iterations >= steps).all()


@BOTH
@settings(max_examples=25, deadline=None, database=None)
@given(
    cost=arrays(np.float32, (2, 6, 5), elements=st.floats(0, 2, width=32)),
    masses=arrays(np.float32, (2, 6), elements=st.floats(1 / 16, 1, width=32)),
    reg=st.sampled_from([0.02, 0.1, 0.5, 5.0]),
)
def test_converged_is_true_exactly_if_the_marginals_hold(sinkhorn, cost, masses, reg):
    a = torch.from_numpy(masses / masses.sum(axis=1, keepdims=True))
    problem = TransportProblem(torch.from_numpy(cost), a, torch.full((2, 5), 1 / 5))
    coupling = coupling_of(sinkhorn, problem, reg)
    P = coupling.plan.double()
    error = (P.sum(2) - a).abs().sum(1) + (P.sum(1) - 1 / 5).abs().sum(1)
    assert (P >= 0).all()
    assert coupling.converged.tolist() == (error <= 1e-4).tolist()
    assert (coupling.converged | (coupling.iterations == 10_000)).all()


def test_a_plan_has_the_same_bits_wherever_its_arrays_lie():
    """LLVM runs a loop vectorised or not depending on the addresses of arrays; both must give the same bits."""
    C = torch.rand(64, 20, 22, generator=torch.Generator().manual_seed(3))
    a, b = torch.full((64, 20), 1 / 20), torch.full((64, 22), 1 / 22)
    held, found = [], set()
    for attempt in range(40):
        held.append(np.zeros(1 + 37 * attempt % 300))  # moves what is allocated next
        coupling = coupling_of(sinkhorn_numba.run_stages, TransportProblem(C.clone(), a, b), 0.1)
        found.add(coupling.plan.numpy().tobytes())
    assert len(found) == 1


def test_a_large_reg_needs_one_stage():
    assert [stage.reg for stage in epsilon_scaling(0.1, 1e-4, 100)] == [0.1]
    assert [stage.reg for stage in epsilon_scaling(1e6, 1e-4, 100)] == [1e6]


@pytest.mark.parametrize("reg", [0.02, 0.005, 0.001])
def test_a_small_reg_is_reached_by_stages_of_falling_reg(reg):
    stages = epsilon_scaling(reg, 1e-4, 100)
    regs = [stage.reg for stage in stages]
    assert regs[-1] == reg
    assert regs == sorted(regs, reverse=True)
    assert 0.02 < regs[0] <= 0.1
    assert stages[-1].threshold <= 1e-4 < stages[0].threshold


def test_proximal_steps_lower_reg_to_reg_over_steps():
    assert [stage.reg for stage in proximal_steps(0.6, 3, 1e-4, 100)] == pytest.approx([0.6, 0.3, 0.2])
