import pytest

from bench.timing import Paired, in_turns, seconds


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds():
    paired = Paired(ours=(1.0, 2.0, 4.0), peer=(10.0, 60.0, 80.0))
    assert paired.ratio == 20  # of 10, 30 and 20; that of the medians would be 30


def test_a_disturbed_round_of_the_peer_does_not_reach_the_ratio_of_the_best():
    paired = Paired(ours=(1.0, 2.0, 4.0), peer=(500.0, 600.0, 8.0))
    assert paired.ratio_of_best == 8


def test_the_two_sides_take_turns():
    said = []
    paired = in_turns(lambda: said.append("ours"), lambda: said.append("peer"), rounds=3, enough=0)
    assert said == ["ours", "peer"] * 3
    assert len(paired.ours) == len(paired.peer) == 3


def test_a_short_call_is_repeated_and_its_mean_is_given(monkeypatch):
    ticks = iter([0.0, 0.03, 0.06, 0.12])
    monkeypatch.setattr("bench.timing.perf_counter", lambda: next(ticks))
    calls = []
    assert seconds(lambda: calls.append(1), enough=0.1) == pytest.approx(0.04)
    assert len(calls) == 3
