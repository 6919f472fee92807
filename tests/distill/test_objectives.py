import math
import sys

import numpy as np
import ot
import pytest
import torch
from torch.nn.functional import normalize

from optical_cli.config.experiment import Transport
from optical_cli.config.settings import SMALLEST_REG
from optical_cli.distill import objectives
from optical_cli.transport import solve

SETTINGS = Transport(threshold=1e-5)
LENGTHS = [(5, 3), (2, 4)]  # tokens of teacher and student, of two sentence pairs


@pytest.fixture
def batch():
    """T, its mask, S, its mask; what is masked holds numbers of its own."""
    generator = torch.Generator().manual_seed(2)
    T, S = (normalize(torch.randn(2, n, 8, generator=generator), dim=-1) for n in (5, 4))
    t_mask, s_mask = (
        torch.arange(longest)[None] < torch.tensor([pair[side] for pair in LENGTHS])[:, None]
        for side, longest in enumerate((5, 4))
    )
    return T, t_mask, S, s_mask


def every_objective():
    named = [("pooled_mse", objectives.pooled_mse), ("greedy", objectives.greedy)]
    return named + [(f"reg {reg}", objectives.transport(reg, SETTINGS)) for reg in (0.0, 0.05, 0.5, math.inf)]


def plan_of_pot(C, reg):
    a, b = (np.full(n, 1 / n) for n in C.shape)
    if math.isinf(reg):
        return np.outer(a, b)
    if reg == 0:
        return ot.emd(a, b, C)
    return ot.sinkhorn(a, b, C, reg, method="sinkhorn_log", stopThr=1e-9, numItermax=100_000)


@pytest.mark.parametrize("reg", [0.0, 0.05, 0.2, 1.0, math.inf])
def test_the_loss_is_the_cost_of_pots_plan_without_the_entropy(batch, reg):
    T, _, S, _ = batch
    aligned = objectives.transport(reg, SETTINGS)(*batch)
    for pair, (n, m) in enumerate(LENGTHS):
        C = (1 - T[pair, :n] @ S[pair, :m].T).double().numpy()
        assert float(aligned.losses[pair]) == pytest.approx((plan_of_pot(C, reg) * C).sum(), abs=2e-5)
    assert aligned.coupling.converged.all()


@pytest.mark.parametrize("reg", [0.0, 0.1, math.inf])
def test_the_gradient_is_that_of_the_cost_with_the_plan_held(batch, reg):
    T, t_mask, S, s_mask = batch
    S.requires_grad_()
    objectives.transport(reg, SETTINGS)(T, t_mask, S, s_mask).losses.sum().backward()
    for pair, (n, m) in enumerate(LENGTHS):
        C = (1 - T[pair, :n] @ S[pair, :m].T).detach().double().numpy()
        expected = -torch.from_numpy(plan_of_pot(C, reg)).float().T @ T[pair, :n]  # d<P, 1 - T S'>/dS = -P' T
        torch.testing.assert_close(S.grad[pair, :m], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("name", "objective"), every_objective())
def test_masked_tokens_take_no_part(batch, name, objective):
    T, t_mask, S, s_mask = batch
    S.requires_grad_()
    before = objective(T, t_mask, S, s_mask).losses
    before.sum().backward()
    assert S.grad[~s_mask].eq(0).all(), name
    assert S.grad[s_mask].ne(0).any()
    generator = torch.Generator().manual_seed(9)
    other_T, other_S = (
        torch.where(mask[:, :, None], X, normalize(torch.randn(X.shape, generator=generator), dim=-1))
        for X, mask in ((T, t_mask), (S.detach(), s_mask))
    )
    torch.testing.assert_close(objective(other_T, t_mask, other_S, s_mask).losses, before.detach(), atol=1e-6, rtol=0)


def test_the_baselines_by_hand():
    e = torch.eye(3)
    T, S = torch.stack([e[0], e[1]])[None], torch.stack([e[0], e[0], e[2]])[None]
    masks = torch.ones(1, 2, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    # the mean tokens are one half of e0 and e1, and two thirds of e0 with one of e2
    assert float(objectives.pooled_mse(T, masks[0], S, masks[1]).losses) == pytest.approx(1 / 36 + 1 / 4 + 1 / 9)
    # the nearest teacher token is the same one, the same one, and at a right angle
    assert float(objectives.greedy(T, masks[0], S, masks[1]).losses) == pytest.approx(1 / 3)
    assert objectives.greedy(T, masks[0], S, masks[1]).coupling is None


@pytest.mark.parametrize("reg", [0.0, math.inf])
def test_what_needs_no_iteration_does_not_hear_of_threshold_and_iterations(batch, reg):
    """Keys of these cells leave both out."""
    strict = objectives.transport(reg, Transport(threshold=1e-12, max_iterations=1))(*batch)
    assert strict.coupling.converged.all()
    torch.testing.assert_close(strict.losses, objectives.transport(reg, SETTINGS)(*batch).losses, atol=0, rtol=0)


def test_configuration_and_solver_agree_on_the_smallest_reg():
    assert sys.modules[solve.__module__].SMALLEST_REG == SMALLEST_REG
