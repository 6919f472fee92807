import pytest

from bench.machine import Neighbours, describe


@pytest.fixture
def clock(monkeypatch):
    """Seconds of wall-clock time, of all processes and of this process, which a test can change."""
    at = [100.0, 500.0, 20.0]
    monkeypatch.setattr(Neighbours, "_now", staticmethod(lambda: tuple(at)))
    return at


def test_the_load_by_others_is_that_of_all_processes_less_ours(clock):
    neighbours = Neighbours()
    clock[:] = [110.0, 520.0, 25.0]
    assert neighbours.cores() == pytest.approx(1.5)


def test_results_recorded_at_once_share_the_load_of_their_measurement(clock):
    neighbours = Neighbours()
    clock[:] = [110.0, 520.0, 25.0]
    first = neighbours.cores()
    clock[:] = [110.001, 520.0, 25.001]
    assert neighbours.cores() == first


def test_a_description_has_machine_versions_and_load():
    described = describe(2)
    assert described["threads"] == 2
    assert described["versions"]["torch"]
    assert len(described["load_average"]) == 3
    assert described["cpu"]
