import pytest

from bench.__main__ import GROUPS, main, modules_of


def test_an_unknown_group_is_refused_in_one_line(capsys, monkeypatch):
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    assert main(["distil"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: ONLY=distil: unknown group of benchmarks; choose one of {', '.join(GROUPS)}\n"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_all_of_its_parts(group):
    assert modules_of(group) == list(GROUPS[group])


def test_all_groups_are_run_by_default_and_a_part_can_be_named():
    assert modules_of(None) == [module for modules in GROUPS.values() for module in modules]
    assert modules_of("transport/share") == ["bench.transport.share"]
