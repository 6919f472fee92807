import math
import subprocess
import sys
import textwrap
import types

import pytest
import torch

from optical_cli import transport
from optical_cli.config.transport import Transport
from optical_cli.data.bitext import SentencePair
from optical_cli.distill.health import Guard
from optical_cli.errors import NotConverged
from optical_cli.transport import solve
from optical_cli.transport.dispatch import product
from optical_cli.transport.solvers import SOLVERS, Solver, format_reg


@pytest.mark.parametrize("solver", [solver for name, solver in SOLVERS.items() if name != "exact"])
def test_the_function_of_every_row_can_be_imported_and_takes_its_settings(make_problem, solver):
    solution = solver.load()(make_problem([3], [4]), 0.1, 1e-4, 100, None, **solver.defaults)
    assert solution.plan.shape == (1, 3, 4)


def test_a_row_is_all_that_a_new_solver_needs(make_problem, monkeypatch):
    calls = []

    def blur(problem, reg, threshold, max_iterations, start, *, width):
        calls.append((reg, threshold, max_iterations, start, width))
        solution = product(problem)
        return solution._replace(plan=solution.plan / 2)

    module = types.ModuleType("optical_cli.transport.blur")
    module.blur = blur
    monkeypatch.setitem(sys.modules, module.__name__, module)
    words = {"settings_in_words": "{width} wide", "divides_reg": "width"}
    row = Solver("blur", "nothing", "blur:blur", defaults={"width": 3}, **words)
    monkeypatch.setitem(SOLVERS, "blur", row)
    coupling = solve(make_problem([2], [2]), 0.1, "blur", threshold=0.5, max_iterations=7, width=4)
    assert coupling.mass == 0.5
    assert calls == [(0.1, 0.5, 7, None, 4)]

    monkeypatch.setattr(Transport, "width", 5, raising=False)  # as a key of the experiment file
    settings = Transport(solver="blur", reg=0.1)
    assert settings.in_words == "blur (5 wide), uniform marginals"
    expected = {"solver": "blur", "threshold": 1e-5, "max_iterations": 10_000, "width": 5}
    assert settings.solve_arguments(0.1) == expected
    assert settings.fault_of(0.004).startswith("at least 0.005 expected with the solver blur")
    with pytest.raises(NotConverged, match="choose a larger reg or 0"):
        Guard(settings, 1, [SentencePair(0, "net", "wavu")], lambda _message: None).check(coupling, [0], 1, 0.1)


def test_the_example_of_the_package_runs():
    example = [line for line in transport.__doc__.splitlines() if line.startswith("    ")]
    names = {"torch": torch, **{name: getattr(transport, name) for name in transport.__all__}}
    exec(textwrap.dedent("\n".join(example)), names)  # noqa: S102 - our own docstring
    assert len(example) == 5
    assert names["s"].grad.isfinite().all()


def test_the_table_loads_no_torch_and_the_package_loads_it_when_a_name_is_used():
    code = (
        "import sys, optical_cli.transport.solvers, optical_cli.transport as transport\n"
        "assert 'torch' not in sys.modules\n"
        "assert [getattr(transport, name).__name__ for name in transport.__all__] == transport.__all__\n"
        "assert not hasattr(transport, 'solver')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("reg", [0.0, 0.02, 0.0021544346900318843, 0.1234561, 1e-3, 1e6, 12345678.0, math.inf])
def test_a_reg_is_printed_so_that_it_can_be_typed_back(reg):
    assert float(format_reg(reg)) == reg
    assert len(format_reg(0.02)) == 4
