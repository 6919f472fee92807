import pytest

from optical_cli.transport.stages import epsilon_scaling, proximal_steps


def test_a_blunt_reg_needs_no_warm_up():
    assert [stage.reg for stage in epsilon_scaling(0.1, 1e-4, 100)] == [0.1]
    assert [stage.reg for stage in epsilon_scaling(1e6, 1e-4, 100)] == [1e6]


@pytest.mark.parametrize("reg", [0.02, 0.005, 0.001])
def test_a_sharp_reg_is_reached_in_even_steps(reg):
    stages = epsilon_scaling(reg, 1e-4, 100)
    regs = [stage.reg for stage in stages]
    assert regs[-1] == reg
    assert regs == sorted(regs, reverse=True)
    assert 0.02 < regs[0] <= 0.1
    assert stages[-1].threshold <= 1e-4 < stages[0].threshold


def test_proximal_steps_sharpen_by_and_by():
    assert [stage.reg for stage in proximal_steps(0.6, 3, 1e-4, 100)] == pytest.approx([0.6, 0.3, 0.2])
