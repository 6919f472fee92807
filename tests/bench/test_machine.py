import pytest

from bench.machine import Neighbours, describe


@pytest.fixture
def clock(monkeypatch):
    """Seconds on the wall, of all processes, of this one; to be moved on by the test."""
    at = [100.0, 500.0, 20.0]
    monkeypatch.setattr(Neighbours, "_now", staticmethod(lambda: tuple(at)))
    return at


def test_what_others_used_is_what_the_machine_did_without_us(clock):
    neighbours = Neighbours()
    clock[:] = [110.0, 520.0, 25.0]
    assert neighbours.cores() == pytest.approx(1.5)


def test_results_recorded_at_once_share_what_disturbed_their_measurement(clock):
    neighbours = Neighbours()
    clock[:] = [110.0, 520.0, 25.0]
    first = neighbours.cores()
    clock[:] = [110.001, 520.0, 25.001]
    assert neighbours.cores() == first


def test_a_measurement_says_where_and_with_what_it_was_made():
    said = describe(2)
    assert said["threads"] == 2
    assert said["versions"]["torch"]
    assert len(said["load_average"]) == 3
    assert said["cpu"]
