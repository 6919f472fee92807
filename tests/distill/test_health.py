import pytest
import torch

from optical_cli.config.experiment import Transport
from optical_cli.distill.health import Health, check
from optical_cli.errors import NotConverged
from optical_cli.transport import Coupling, TransportProblem


def coupling(*plans: list[list[float]], iterations: int = 4) -> Coupling:
    plan = torch.tensor(plans)
    half = torch.full((len(plans), 2), 0.5)
    problem = TransportProblem(torch.zeros_like(plan), half, half)
    return Coupling(problem, plan, torch.full((len(plans),), iterations), 1e-4)


GOOD = [[0.5, 0.0], [0.0, 0.5]]
SPREAD = [[0.25, 0.25], [0.25, 0.25]]
ZERO = [[0.0, 0.0], [0.0, 0.0]]


def test_the_figures_are_those_of_all_plans():
    health = Health()
    health.add(coupling(GOOD, SPREAD, iterations=2))
    other = Health()
    other.add(coupling(SPREAD, [[0.5, 0.0], [0.0, 0.4]], iterations=8))
    health.merge(other)
    summary = health.summary()
    assert (summary["plans"], summary["converged"], summary["iterations"]) == (4, 0.75, 5.0)
    assert summary["marginal_error"] == pytest.approx(0.2)
    assert summary["mass"] == pytest.approx(0.9)
    assert 1.0 < summary["effective_targets"] < 2.0


def test_a_plan_without_mass_is_not_a_perfect_one():
    health = Health()
    health.add(coupling(ZERO))
    assert health.summary()["converged"] == 0
    assert health.summary()["mass"] == 0


def test_without_a_plan_there_are_no_figures():
    assert Health().summary() == {}


def test_more_than_one_percent_stop_the_training_and_say_what_to_change():
    health = Health()
    health.add(coupling(*[GOOD] * 8, ZERO, ZERO))
    check(health, 200, 3, 0.02, Transport())  # 2 of 200 are tolerated
    with pytest.raises(NotConverged) as caught:
        check(health, 199, 3, 0.02, Transport(max_iterations=77))
    said = str(caught.value)
    assert said.startswith("step 3, reg 0.02: 2 of 10 transport plans missed the threshold 0.0001 within 77 iterations")
    for remedy in (
        "transport.max_iterations",
        "transport.threshold",
        "larger reg or 0",
        "transport.on_unconverged: warn",
    ):
        assert remedy in said
    check(health, 10, 3, 0.02, Transport(on_unconverged="warn"))
