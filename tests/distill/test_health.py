import re

import pytest
import torch

from optical_cli.config.transport import Transport
from optical_cli.data.bitext import SentencePair
from optical_cli.distill.health import Guard, TrainingHealth
from optical_cli.errors import NotConverged
from optical_cli.transport import Coupling, TransportProblem


def coupling(*plans: list[list[float]], iterations: int = 4) -> Coupling:
    plan = torch.tensor(plans)
    half = torch.full((len(plans), 2), 0.5)
    problem = TransportProblem(torch.zeros_like(plan), half, half)
    return Coupling(problem, plan, (0 * half, 0 * half), torch.full((len(plans),), iterations), 1e-4)


GOOD = [[0.5, 0.0], [0.0, 0.5]]
SPREAD = [[0.25, 0.25], [0.25, 0.25]]
ZERO = [[0.0, 0.0], [0.0, 0.0]]
HALF = [[0.25, 0.0], [0.0, 0.25]]
MOST = [[0.4, 0.0], [0.0, 0.4]]
NAN = [[float("nan"), 0.0], [0.0, 0.5]]
INFINITE = [[float("inf"), 0.0], [0.0, 0.5]]


def test_the_figures_are_those_of_all_plans():
    health = TrainingHealth()
    health.add(coupling(GOOD, SPREAD, iterations=2))
    other = TrainingHealth()
    other.add(coupling(SPREAD, [[0.5, 0.0], [0.0, 0.4]], iterations=8))
    health.merge(other)
    summary = health.summary()
    assert (summary["plans"], summary["unconverged"], summary["converged"], summary["iterations"]) == (4, 1, 0.75, 5.0)
    assert summary["marginal_error"] == pytest.approx(0.2)
    assert summary["mass"] == pytest.approx(0.9)
    assert 1.0 < summary["effective_targets"] < 2.0


def test_a_plan_without_mass_has_not_converged():
    health = TrainingHealth()
    health.add(coupling(ZERO))
    assert health.summary()["converged"] == 0
    assert health.summary()["mass"] == 0


def test_without_a_plan_there_are_no_figures():
    assert TrainingHealth().summary() == {}


def test_a_plan_of_nan_has_an_infinite_error():
    health = TrainingHealth()
    health.add(coupling(GOOD, NAN))
    assert health.summary()["marginal_error"] == float("inf")
    assert health.summary()["unconverged"] == 1


@pytest.fixture
def guard():
    """Make the guard of a training; returns its check of a batch of plans, with rows 0, 1, ..., and its warnings."""

    def make(expected_plans, **settings):
        warnings = []
        pairs = [SentencePair(40 + row, f"the net {row}", f"wavu {row} " + "na mashua " * 20) for row in range(10)]
        guard = Guard(Transport(**settings), expected_plans, pairs, warnings.append)

        def check(*plans, step=3, reg=0.02):
            guard.check(coupling(*plans), range(len(plans)), step, reg)

        return check, warnings

    return make


def test_more_than_one_percent_stop_the_training_and_the_error_names_the_place_and_remedies(guard):
    check, warnings = guard(200)
    check(*[GOOD] * 8, SPREAD, HALF)
    check(HALF, GOOD)  # 2 of 200 are tolerated
    check, warnings = guard(199, max_iterations=77)
    check(*[GOOD] * 8, SPREAD, HALF, step=2)
    with pytest.raises(NotConverged) as caught:
        check(GOOD, HALF, MOST)
    text = str(caught.value)
    assert text.startswith(
        "step 3, reg 0.02: 3 of 13 transport plans missed the threshold 1e-05 within 77 iterations; the worst plan of "
        "this step, with a marginal error of 1, is that of 'the net 1' and 'wavu 1 na mashua"
    )
    assert "…' (line 42 of the bitext); " in text
    assert "\n" not in text
    for remedy in (
        "transport.max_iterations",
        "transport.threshold",
        "larger reg or 0",
        "transport.anneal",
        "transport.on_unconverged: warn",
    ):
        assert remedy in text
    assert warnings == []


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"solver": "unbalanced"}, "choose a larger reg or a smaller transport.reg_marginal, or start from a larger"),
        ({"solver": "proximal"}, "choose a larger reg, fewer transport.steps, or reg 0, or start from a larger reg"),
        ({"anneal": {"from": 1.0}}, "choose a larger reg or 0, or set transport.on_unconverged"),
    ],
)
def test_the_remedy_fits_the_solver_and_annealing(guard, settings, remedy):
    check, _ = guard(1, **settings)
    with pytest.raises(NotConverged, match=re.escape(remedy)):
        check(HALF)


def test_a_training_that_continues_warns_once(guard):
    check, warnings = guard(100, on_unconverged="warn")
    check(GOOD, HALF)
    assert warnings == []
    check(HALF, step=4)
    check(HALF, step=5)
    (line,) = warnings
    assert line.startswith("step 4, reg 0.02: 2 of 3 transport plans missed the threshold")
    assert "'the net 0'" in line
    assert line.endswith("the training continues (transport.on_unconverged: warn)")


@pytest.mark.parametrize("on_unconverged", ["fail", "warn"])
@pytest.mark.parametrize(
    ("plan", "fault"), [(ZERO, "has no mass"), (NAN, "is not finite"), (INFINITE, "is not finite")]
)
def test_a_plan_without_mass_or_not_finite_stops_the_training_in_any_case(guard, on_unconverged, plan, fault):
    check, _ = guard(10_000, on_unconverged=on_unconverged)
    with pytest.raises(NotConverged) as caught:
        check(GOOD, GOOD, plan, reg=0.005)
    text = str(caught.value)
    assert text.startswith("step 3, reg 0.005: the transport plan of 'the net 2' and 'wavu 2 ")
    assert f"(line 43 of the bitext) {fault}; choose a larger reg or 0" in text


def test_the_remedy_for_relaxed_marginals_without_mass_is_a_larger_penalty(guard):
    check, _ = guard(10_000, solver="unbalanced", reg_marginal=1e-6)
    with pytest.raises(NotConverged, match=r"has no mass; raise transport\.reg_marginal$"):
        check(ZERO)
