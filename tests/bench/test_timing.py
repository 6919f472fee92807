import pytest

from bench.timing import Paired, in_turns, seconds


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds():
    paired = Paired(ours=(1.0, 2.0, 4.0), peer=(10.0, 60.0, 80.0))
    assert paired.ratio == 20  # the median of 10, 30 and 20; the ratio of the medians is 30


def test_the_ratio_of_the_best_ignores_disturbed_rounds_of_the_peer():
    paired = Paired(ours=(1.0, 2.0, 4.0), peer=(500.0, 600.0, 8.0))
    assert paired.ratio_of_best == 8


def test_the_two_sides_take_turns():
    calls = []
    paired = in_turns(lambda: calls.append("ours"), lambda: calls.append("peer"), rounds=3, enough=0)
    assert calls == ["ours", "peer"] * 3
    assert len(paired.ours) == len(paired.peer) == 3


def test_a_short_call_is_repeated_and_its_mean_returned(monkeypatch):
    ticks = iter([0.0, 0.03, 0.06, 0.12])
    monkeypatch.setattr("bench.timing.perf_counter", lambda: next(ticks))
    calls = []
    assert seconds(lambda: calls.append(1), enough=0.1) == pytest.approx(0.04)
    assert len(calls) == 3
