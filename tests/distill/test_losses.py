import math

import numpy as np
import ot
import pytest
import torch
from torch.nn.functional import normalize

from optical_cli.config.transport import Transport
from optical_cli.distill import losses
from optical_cli.distill.losses import Schedule, Tokens
from optical_cli.errors import NotConverged
from optical_cli.transport import solve, uniform_marginals

SETTINGS = Transport(threshold=1e-5)
LENGTHS = [(5, 3), (2, 4)]  # tokens of teacher and student, of two sentence pairs


def tokens(vectors, mask):
    return Tokens(vectors, mask, uniform_marginals(mask))


def transport(reg, settings=SETTINGS):
    return losses.transport(Schedule(reg), settings)


def loss_of(objective, T, t_mask, S, s_mask):
    return objective(tokens(T, t_mask), tokens(S, s_mask), 1).losses


@pytest.fixture
def batch():
    """T, its mask, S and its mask; padding holds random tokens."""
    generator = torch.Generator().manual_seed(2)
    T, S = (normalize(torch.randn(2, n, 8, generator=generator), dim=-1) for n in (5, 4))
    t_mask, s_mask = (
        torch.arange(longest)[None] < torch.tensor([pair[side] for pair in LENGTHS])[:, None]
        for side, longest in enumerate((5, 4))
    )
    return T, t_mask, S, s_mask


def every_objective():
    named = [("pooled_mse", losses.pooled_mse), ("greedy", losses.greedy)]
    return named + [(f"reg {reg}", transport(reg)) for reg in (0.0, 0.05, 0.5, math.inf)]


def plan_of_pot(C, reg):
    a, b = (np.full(n, 1 / n) for n in C.shape)
    if math.isinf(reg):
        return np.outer(a, b)
    if reg == 0:
        return ot.emd(a, b, C)
    return ot.sinkhorn(a, b, C, reg, method="sinkhorn_log", stopThr=1e-9, numItermax=100_000)


@pytest.mark.parametrize("reg", [0.0, 0.05, 0.2, 1.0, math.inf])
def test_the_loss_is_the_cost_of_pots_plan_without_the_entropy(batch, reg):
    T, t_mask, S, s_mask = batch
    aligned = transport(reg)(tokens(T, t_mask), tokens(S, s_mask), 1)
    for pair, (n, m) in enumerate(LENGTHS):
        C = (1 - T[pair, :n] @ S[pair, :m].T).double().numpy()
        assert float(aligned.losses[pair]) == pytest.approx((plan_of_pot(C, reg) * C).sum(), abs=2e-5)
    assert aligned.coupling.converged.all()
    assert aligned.reg == reg


@pytest.mark.parametrize("reg", [0.0, 0.1, math.inf])
def test_the_gradient_is_that_of_the_cost_with_the_plan_held(batch, reg):
    T, t_mask, S, s_mask = batch
    S.requires_grad_()
    loss_of(transport(reg), T, t_mask, S, s_mask).sum().backward()
    for pair, (n, m) in enumerate(LENGTHS):
        C = (1 - T[pair, :n] @ S[pair, :m].T).detach().double().numpy()
        expected = -torch.from_numpy(plan_of_pot(C, reg)).float().T @ T[pair, :n]  # d<P, 1 - T S'>/dS = -P' T
        torch.testing.assert_close(S.grad[pair, :m], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "objective"), every_objective())
def test_masked_tokens_change_neither_loss_nor_gradient(batch, name, objective):
    T, t_mask, S, s_mask = batch
    S.requires_grad_()
    before = loss_of(objective, T, t_mask, S, s_mask)
    before.sum().backward()
    assert S.grad[~s_mask].eq(0).all(), name
    assert S.grad[s_mask].ne(0).any()
    generator = torch.Generator().manual_seed(9)
    other_T, other_S = (
        torch.where(mask[:, :, None], X, normalize(torch.randn(X.shape, generator=generator), dim=-1))
        for X, mask in ((T, t_mask), (S.detach(), s_mask))
    )
    torch.testing.assert_close(loss_of(objective, other_T, t_mask, other_S, s_mask), before.detach(), atol=1e-6, rtol=0)


def test_the_baselines_by_hand():
    e = torch.eye(3)
    T, S = torch.stack([e[0], e[1]])[None], torch.stack([e[0], e[0], e[2]])[None]
    batch = T, torch.ones(1, 2, dtype=torch.bool), S, torch.ones(1, 3, dtype=torch.bool)
    # the mean tokens are one half of e0 and e1, and two thirds of e0 with one of e2
    assert float(loss_of(losses.pooled_mse, *batch)) == pytest.approx(1 / 36 + 1 / 4 + 1 / 9)
    # the nearest teacher token is the same one, the same one, and at a right angle
    assert float(loss_of(losses.greedy, *batch)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("reg", [0.0, math.inf])
def test_threshold_and_iterations_change_nothing_at_reg_0_and_inf(batch, reg):
    """The keys of these cells leave both settings out."""
    strict = transport(reg, Transport(threshold=1e-12, max_iterations=1))
    torch.testing.assert_close(loss_of(strict, *batch), loss_of(transport(reg), *batch), atol=0, rtol=0)
    assert strict(tokens(*batch[:2]), tokens(*batch[2:]), 1).coupling.threshold > 1e-12


def test_the_plan_has_the_given_marginals(batch):
    T, t_mask, S, s_mask = batch
    a = torch.tensor([[0.6, 0.1, 0.1, 0.1, 0.1], [0.2, 0.8, 0, 0, 0]])
    for reg in (0.0, 0.1, math.inf):
        aligned = transport(reg)(Tokens(T, t_mask, a), tokens(S, s_mask), 1)
        torch.testing.assert_close(aligned.coupling.plan.sum(2), a, atol=1e-4, rtol=0)


def test_the_loss_has_the_reg_of_the_step(batch):
    annealed = losses.transport(Schedule(0.0, start=1.0, annealed=3, floor=0.001), SETTINGS)
    sides = tokens(*batch[:2]), tokens(*batch[2:])
    regs = [annealed(*sides, step).reg for step in (1, 2, 3)]
    assert regs == [1.0, pytest.approx(0.001), 0.0]
    for step, reg in enumerate(regs, start=1):
        torch.testing.assert_close(annealed(*sides, step).losses, transport(reg)(*sides, 9).losses)


def test_the_settings_reach_the_solver(batch, monkeypatch):
    calls = []
    monkeypatch.setattr(losses, "solve", lambda problem, reg, **how: calls.append((reg, how)) or solve(problem, 1.0))
    for settings, reg in (
        (Transport(solver="proximal", steps=4), 0.1),
        (Transport(solver="unbalanced", reg_marginal=3.0, max_iterations=7), 0.1),
        (Transport(solver="quadratic", threshold=1e-3), 0.1),
        (Transport(solver="quadratic"), 0.0),
    ):
        loss_of(transport(reg, settings), *batch)
    common = {"threshold": 1e-5, "max_iterations": 10_000}
    assert calls == [
        (0.1, {"solver": "proximal", "steps": 4} | common),
        (0.1, {"solver": "unbalanced", "reg_marginal": 3.0} | common | {"max_iterations": 7}),
        (0.1, {"solver": "quadratic"} | common | {"threshold": 1e-3}),
        (0.0, {}),
    ]


def test_the_error_of_a_solver_that_gives_up_names_the_step(batch, monkeypatch):
    def gives_up(*_problem, **_how):
        raise NotConverged("exact transport of plan 1 of the batch: too many pivots")

    monkeypatch.setattr(losses, "solve", gives_up)
    with pytest.raises(NotConverged, match=r"step 7, reg 0: exact transport of plan 1 .*; choose a larger reg"):
        transport(0.0)(tokens(*batch[:2]), tokens(*batch[2:]), 7)


def regs(reg, steps, **settings):
    schedule = Schedule.of(reg, Transport(**settings), steps)
    return [schedule.at(step) for step in range(1, steps + 1)]


def test_without_annealing_every_step_has_the_reg_of_the_cell():
    assert regs(0.05, 3) == [0.05] * 3


@pytest.mark.parametrize("reg", [1.0, 2.0, math.inf])
def test_a_reg_that_is_not_below_the_first_is_not_annealed(reg):
    assert regs(reg, 4, anneal={"from": 1.0}) == [reg] * 4


def test_reg_falls_by_the_same_factor_and_then_stays():
    found = regs(0.01, 10, anneal={"from": 1.0, "share": 0.5})
    assert found == pytest.approx([1, 10**-0.5, 0.1, 10**-1.5, 0.01] + [0.01] * 5)
    assert found[4:] == [0.01] * 6  # exactly: keys and labels name it


def test_a_fall_to_0_ends_at_the_smallest_reg_and_jumps():
    expected = [1.0, pytest.approx(0.1), pytest.approx(0.01), 0.001, 0, 0, 0, 0]
    assert regs(0.0, 8, anneal={"from": 1.0, "share": 0.625}) == expected


@pytest.mark.parametrize("steps", [3, 7, 9, 30, 49])
def test_proximal_steps_never_fall_below_what_the_solver_takes(steps):
    settings = Transport(solver="proximal", reg=0, steps=steps, anneal={"from": 1.0, "share": 1.0})
    schedule = Schedule.of(0.0, settings, 20)
    found = [schedule.at(step) for step in range(1, 21)]
    assert found[-1] == 0
    assert min(found[:-1]) == pytest.approx(0.001 * steps)
    assert all(reg / steps >= 0.001 for reg in found[:-1])
    assert all(settings.fault_of(reg) is None for reg in found)


@pytest.mark.parametrize("reg", [0.0, 0.02])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 100])
def test_the_last_step_has_the_reg_of_the_cell_however_short_the_training(reg, share, steps):
    found = regs(reg, steps, anneal={"from": 0.3, "share": share})
    assert found[-1] == reg
    assert found == sorted(found, reverse=True)
    assert max(found) <= 0.3
