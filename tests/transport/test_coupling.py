import math

import pytest
import torch

from optical_cli.transport import Coupling, TransportProblem

HALF = torch.tensor([[0.5, 0.5]])
ZERO = torch.zeros(1, dtype=torch.int64)
ZERO_POTENTIALS = torch.zeros(1, 2), torch.zeros(1, 2)


def two_by_two(plan, potentials=ZERO_POTENTIALS, reg_marginal=math.inf):
    problem = TransportProblem(torch.ones(1, 2, 2), HALF, HALF)
    return Coupling(problem, torch.tensor([plan]), potentials, ZERO, 1e-4, reg_marginal)


def test_figures_of_a_plan():
    coupling = two_by_two([[0.5, 0.0], [0.25, 0.25]])
    assert coupling.marginal_error.tolist() == [0.5]
    assert coupling.mass.tolist() == [1.0]
    assert coupling.converged.tolist() == [False]
    assert coupling.entropy.item() == pytest.approx(1.5 * math.log(2))
    assert coupling.effective_targets.item() == pytest.approx(math.sqrt(2))  # one for the first row, two for the second


def test_effective_targets_are_one_for_one_to_one_and_all_for_the_product():
    assert two_by_two([[0.5, 0.0], [0.0, 0.5]]).effective_targets.item() == pytest.approx(1)
    assert two_by_two([[0.25, 0.25], [0.25, 0.25]]).effective_targets.item() == pytest.approx(2)


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_a_plan_without_mass_or_of_nan_has_not_converged(value):
    coupling = two_by_two([[value, value], [value, value]])
    assert coupling.converged.tolist() == [False]
    assert not coupling.marginal_error.item() <= 1e-4


def test_a_plan_without_mass_has_not_converged_at_any_threshold():
    problem = TransportProblem(torch.ones(1, 2, 2), HALF, HALF)
    assert not Coupling(problem, torch.zeros(1, 2, 2), ZERO_POTENTIALS, ZERO, threshold=math.inf).converged.item()


def test_the_gradient_of_the_cost_holds_the_plan_constant():
    plan = torch.tensor([[0.5, 0.0], [0.0, 0.5]], requires_grad=True)
    coupling = Coupling(TransportProblem(torch.ones(1, 2, 2), HALF, HALF), plan[None], ZERO_POTENTIALS, ZERO, 1e-4)
    cost = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], requires_grad=True)
    value = coupling.cost(cost)
    value.sum().backward()
    assert value.tolist() == [2.5]
    assert torch.equal(cost.grad, coupling.plan.detach())
    assert plan.grad is None


def test_relaxed_marginals_move_with_the_potentials():
    potentials = torch.tensor([[math.log(2), 0.0]]), torch.tensor([[math.log(2), 0.0]])
    plan = [[0.0, 0.25], [0.25, 0.25]]  # rows 0.25 and 0.5, as a exp(-f / 1)
    assert two_by_two(plan, potentials, reg_marginal=1.0).converged.item()
    assert two_by_two(plan, potentials).marginal_error.item() == pytest.approx(0.5)
