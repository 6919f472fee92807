import math

import numpy as np
import pytest
from scipy import stats

from optical_cli.report.statistics.formulas import (
    effect_size,
    f_tail,
    holm,
    seed_interaction,
    smallest_difference,
    t_quantiles,
)


def test_it_is_t_over_the_root_of_the_topics(rng):
    d = rng.normal(0.2, 1, size=40)
    assert effect_size(d) == pytest.approx(stats.ttest_1samp(d, 0).statistic / math.sqrt(40))


def test_differences_that_are_all_alike():
    assert effect_size(np.zeros(5)) == 0.0
    assert effect_size(np.full(5, -0.1)) == -math.inf


def test_a_worked_example():
    # https://en.wikipedia.org/wiki/Holm-Bonferroni_method, example: H1 and H4 are rejected at 0.05, H2 and H3 are not
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert np.allclose(adjusted, [0.03, 0.06, 0.06, 0.02])


def test_it_is_1_at_most_and_keeps_ties():
    assert holm(np.array([0.4, 0.9, 0.4])).tolist() == [1.0, 1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_it_errs_in_a_family_no_more_often_than_it_says(rng):
    families = rng.random((2_000, 20))
    assert np.mean([(holm(family) < 0.05).any() for family in families]) < 0.06


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


@pytest.mark.parametrize(
    ("f", "above", "below"), [(3.2, 10, 20), (1.1, 1, 1), (7.0, 2, 4), (1.5, 128, 256), (0.0, 3, 3)]
)
def test_the_tail_is_that_of_scipy(f, above, below):
    assert f_tail(f, above, below) == pytest.approx(stats.f.sf(f, above, below), abs=1e-3)


def test_under_no_interaction_one_in_twenty_is_below_005(rng):
    additive = np.array([[0.1], [0.3], [0.5]]) + np.array([0.0, 0.1, 0.05, 0.0])
    found = [seed_interaction(additive + rng.normal(0, 0.02, size=(3, 3, 4))) for _ in range(2_000)]
    assert 0.04 <= np.mean(np.array(found) < 0.05) <= 0.06


def test_an_interaction_that_seeds_repeat_is_found_and_one_that_they_do_not_is_not(rng):
    crossed = np.array([[0.1, 0.0], [0.0, 0.1]])
    assert seed_interaction(crossed + rng.normal(0, 0.005, size=(3, 2, 2))) < 0.01
    assert seed_interaction(np.stack([crossed, -crossed, crossed / 2])) > 0.3


def test_seeds_that_are_alike_to_the_bit():
    assert seed_interaction(np.zeros((2, 2, 3))) == 1.0
    assert seed_interaction(np.stack([np.eye(2)] * 2)) == 0.0
