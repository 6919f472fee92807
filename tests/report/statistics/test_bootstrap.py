import numpy as np
import pytest
from scipy import stats

from optical_cli.report.statistics.bootstrap import bootstrap_intervals


def test_over_topics_it_is_the_interval_of_scipy(rng):
    scores = rng.beta(1, 2, size=(80, 1))
    low, high = bootstrap_intervals([scores], rng, draws=20_000)[0]
    theirs = stats.bootstrap(
        (scores[:, 0],), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_seeds_that_differ_widen_it_and_seeds_alike_do_not(rng):
    topics = rng.normal(0.5, 0.2, size=(100, 1))
    alike, differing = topics + np.zeros(3), topics + np.array([-0.1, 0.0, 0.1])
    widths = np.diff(bootstrap_intervals([topics, alike, differing], rng)).ravel()
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] > 2 * widths[0]


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_it_covers_the_truth_about_as_often_as_it_says(rng, seeds):
    covered, times = 0, 1_000
    for _ in range(times):
        topic, seed = rng.normal(0, 0.3, size=(60, 1)), rng.normal(0, 0.01, size=(1, seeds)) * (seeds > 1)
        low, high = bootstrap_intervals([topic + seed + rng.normal(0, 0.1, size=(60, seeds))], rng, draws=500)[0]
        covered += low <= 0 <= high
    assert 0.93 <= covered / times <= 0.99


def test_the_same_seed_gives_the_same_interval():
    scores = np.linspace(0, 1, 30).reshape(10, 3)
    first, second = (bootstrap_intervals([scores], np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
