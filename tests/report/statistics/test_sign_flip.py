import numpy as np
import pytest
from scipy import stats

from optical_cli.report.statistics.sign_flip import sign_flip


def test_few_topics_are_exact_as_scipy_is(rng):
    d = rng.normal(0.3, 1, size=(10, 3))
    theirs = [
        stats.permutation_test(
            (column, np.zeros(10)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
        ).pvalue
        for column in d.T
    ]
    assert sign_flip(d, rng) == pytest.approx(theirs)


def test_fishers_worked_example_of_darwins_plants(rng):
    # Fisher, The Design of Experiments (1935), section 21: of 32,768 sign patterns 1,726 reach the sum of 314
    heights = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
    assert sign_flip(heights[:, None], rng) == pytest.approx([1726 / 32768])


def test_many_topics_agree_with_the_t_test(rng):
    d = rng.normal(0.1, 0.5, size=(200, 5))
    assert sign_flip(d, rng) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)


def test_under_no_effect_one_in_twenty_is_below_005(rng):
    topics, simulations = 50, 2_000
    one, other = rng.choice([0.0, 0.0, 0.63, 1.0], size=(2, topics, simulations))  # nDCG: few values, many ties
    d = one - other
    assert 0.04 <= (sign_flip(d, rng, flips=4_999) < 0.05).mean() <= 0.06


def test_a_clear_effect_reaches_the_smallest_p_and_no_difference_is_1(rng):
    d = np.column_stack([rng.normal(1.0, 0.5, size=100), np.zeros(100)])
    assert sign_flip(d, rng).tolist() == [2e-5, 1.0]
