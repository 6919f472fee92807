import pytest

from optical_cli.transport.annealing import annealed


def test_a_blunt_reg_needs_no_warm_up():
    assert annealed(0.1) == [0.1]
    assert annealed(1e6) == [1e6]


@pytest.mark.parametrize("reg", [0.02, 0.005, 0.001])
def test_a_sharp_reg_is_reached_in_even_steps(reg):
    regs = annealed(reg)
    assert regs[-1] == reg
    assert regs == sorted(regs, reverse=True)
    assert 0.02 < regs[0] <= 0.1
