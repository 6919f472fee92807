import pytest

from bench.__main__ import GROUPS, main, modules_of


def test_an_unknown_group_is_one_clear_line(capsys, monkeypatch):
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    assert main(["distil"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: ONLY=distil: no such group of benchmarks; there are {', '.join(GROUPS)}\n"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_all_of_its_parts(group):
    assert modules_of(group) == list(GROUPS[group])


def test_everything_is_run_unless_something_is_named_and_a_part_can_be():
    assert modules_of(None) == [module for modules in GROUPS.values() for module in modules]
    assert modules_of("transport/share") == ["bench.transport.share"]
