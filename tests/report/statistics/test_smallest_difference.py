import math

import numpy as np
import pytest
from scipy import stats

from optical_cli.report.statistics.smallest_difference import smallest_difference, t_quantiles


@pytest.mark.parametrize("freedom", [1.0, 1.7, 2.0, 5.0, 118.0, 5_000.0])
def test_quantiles_are_those_of_scipy(freedom):
    assert t_quantiles((0.8, 0.975), freedom) == pytest.approx(stats.t.ppf([0.8, 0.975], freedom), rel=1e-4)


def test_one_seed_is_the_formula_over_topics(rng):
    d = rng.normal(0.1, 0.4, size=(119, 1))
    expected = (stats.t.ppf(0.975, 118) + stats.t.ppf(0.8, 118)) * d.std(ddof=1) / math.sqrt(119)
    assert smallest_difference(d) == pytest.approx(expected, rel=1e-4)


def test_a_difference_of_this_size_is_found_four_times_in_five(rng):
    true = smallest_difference(rng.normal(0, 0.3, size=(100_000, 1))[:, :1]) * math.sqrt(100_000 / 60)
    d = rng.normal(true, 0.3, size=(60, 2_000))
    assert (stats.ttest_1samp(d, 0).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.03)


def test_seeds_that_disagree_make_it_larger(rng):
    topics = rng.normal(0, 0.2, size=(150, 1)) + rng.normal(0, 0.05, size=(150, 3))
    alone, disagreeing = smallest_difference(topics), smallest_difference(topics + np.array([-0.1, 0.0, 0.1]))
    assert disagreeing > 3 * alone
