import math

import pytest

from optical_cli.config.transport import Transport
from optical_cli.distill.schedule import Schedule


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
    assert regs(0.0, 8, anneal={"from": 1.0, "share": 0.625}) == [
        1.0, pytest.approx(0.1), pytest.approx(0.01), 0.001, 0, 0, 0, 0
    ]  # fmt: skip


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
