import math

import pytest
import torch

from optical_cli.errors import DataError
from optical_cli.transport import Coupling, TransportProblem

HALF = torch.tensor([[0.5, 0.5]])
ZERO = torch.zeros(1, dtype=torch.int64)


def two_by_two(plan):
    return Coupling(TransportProblem(torch.ones(1, 2, 2), HALF, HALF), torch.tensor([plan]), ZERO, 1e-4)


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


def test_what_a_plan_confesses():
    coupling = two_by_two([[0.5, 0.0], [0.25, 0.25]])
    assert coupling.marginal_error.tolist() == [0.5]
    assert coupling.mass.tolist() == [1.0]
    assert coupling.converged.tolist() == [False]
    assert coupling.entropy.item() == pytest.approx(1.5 * math.log(2))
    assert coupling.effective_targets.item() == pytest.approx(math.sqrt(2))  # one target, and two


def test_one_to_one_has_one_target_and_the_product_has_all():
    assert two_by_two([[0.5, 0.0], [0.0, 0.5]]).effective_targets.item() == pytest.approx(1)
    assert two_by_two([[0.25, 0.25], [0.25, 0.25]]).effective_targets.item() == pytest.approx(2)


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_a_plan_of_nothing_has_not_converged(value):
    coupling = two_by_two([[value, value], [value, value]])
    assert coupling.converged.tolist() == [False]
    assert not coupling.marginal_error.item() <= 1e-4


def test_a_plan_of_nothing_has_not_converged_at_any_threshold():
    problem = TransportProblem(torch.ones(1, 2, 2), HALF, HALF)
    assert not Coupling(problem, torch.zeros(1, 2, 2), ZERO, threshold=math.inf).converged.item()


def test_cost_is_differentiable_in_the_cost_alone():
    plan = torch.tensor([[0.5, 0.0], [0.0, 0.5]], requires_grad=True)
    coupling = Coupling(TransportProblem(torch.ones(1, 2, 2), HALF, HALF), plan[None], ZERO, 1e-4)
    cost = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], requires_grad=True)
    value = coupling.cost(cost)
    value.sum().backward()
    assert value.tolist() == [2.5]
    assert torch.equal(cost.grad, coupling.plan.detach())
    assert plan.grad is None
