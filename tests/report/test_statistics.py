import math

import numpy as np
import pytest
from scipy import stats

from optical_cli.report.statistics import (
    bootstrap_intervals,
    cross_fit,
    effect_size,
    equivalence,
    f_tail,
    holm,
    interaction,
    seed_interaction,
    sign_flip,
    smallest_difference,
    t_quantiles,
    t_tail,
)


@pytest.fixture
def rng():
    return np.random.default_rng(13)


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


def simulated(rng, profiles, topics, spread=0.2):
    """Groups that share their topics' difficulty, and each has a profile of means over the settings."""
    difficulty = rng.normal(0.5, 0.2, size=(topics, 1))
    return [difficulty + np.array(profile) + rng.normal(0, spread, (topics, len(profile))) for profile in profiles]


@pytest.mark.parametrize("same_topics", [True, False])
def test_under_no_interaction_one_in_twenty_is_below_005(rng, same_topics):
    groups = [[0.0, 0.1, 0.2]] * 3
    found = [
        interaction(simulated(rng, groups, 12), rng, same_topics=same_topics, permutations=499) for _ in range(2_000)
    ]
    assert 0.04 <= np.mean(np.array(found) < 0.05) <= 0.06


@pytest.mark.parametrize("same_topics", [True, False])
def test_a_best_setting_that_differs_is_found(rng, same_topics):
    groups = simulated(rng, [[0.2, 0.1, 0.0], [0.0, 0.1, 0.2]], 60)
    assert interaction(groups, rng, same_topics=same_topics, permutations=999) == 0.001


def test_a_group_that_is_harder_for_every_setting_alike_is_none(rng):
    easy, hard = simulated(rng, [[0.5, 0.6, 0.5], [0.0, 0.1, 0.0]], 60)
    assert interaction([easy, hard], rng, same_topics=True, permutations=999) > 0.05


def test_groups_may_have_different_numbers_of_topics(rng):
    small, large = simulated(rng, [[0.3, 0.0]], 20), simulated(rng, [[0.0, 0.3]], 90)
    assert interaction(small + large, rng, same_topics=False, permutations=999) == 0.001


def test_of_settings_that_are_alike_the_best_flatters(rng):
    honest, flattered = [], []
    for _ in range(100):
        found = cross_fit(rng.normal(0.5, 0.3, size=(50, 9)), rng, repeats=5)
        honest.append(found.score)
        flattered.append(found.flattered)
    assert np.mean(honest) == pytest.approx(0.5, abs=0.01)
    assert np.mean(flattered) > 0.05


def test_a_setting_that_is_always_best_is_always_chosen_and_flatters_nobody(rng):
    scores = rng.random((40, 1)) * 0.1 + np.array([0.1, 0.5, 0.3])
    found = cross_fit(scores, rng)
    assert found.best == 1
    assert found.shares.tolist() == [0.0, 1.0, 0.0]
    assert (found.score, found.flattered) == (pytest.approx(scores[:, 1].mean()), pytest.approx(0.0))


def test_shares_say_how_sure_the_choice_is(rng):
    shares = cross_fit(rng.normal(0.5, 0.3, size=(20, 3)) + np.array([0.0, 0.0, 0.02]), rng).shares
    assert shares.sum() == pytest.approx(1.0)
    assert (shares > 0).sum() > 1


def test_d_z_is_t_over_the_root_of_the_topics(rng):
    d = rng.normal(0.2, 1, size=40)
    assert effect_size(d) == pytest.approx(stats.ttest_1samp(d, 0).statistic / math.sqrt(40))


def test_d_z_of_differences_that_are_all_alike():
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


def test_over_seeds_too_one_in_twenty_is_below_005_under_no_interaction(rng):
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


@pytest.mark.parametrize("freedom", [1, 2.5, 8, 118.3, 5000])
@pytest.mark.parametrize("t", [-40.0, -1.3, 0.0, 0.2, 1.7, 6.0])
def test_the_tail_of_t_is_that_of_scipy(t, freedom):
    assert t_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), abs=1e-4)


def test_equivalence_is_the_larger_of_two_one_sided_tests(rng):
    d = rng.normal(0.004, 0.05, size=(120, 1))
    below, above = (
        stats.ttest_1samp(d[:, 0], end, alternative=way).pvalue for end, way in ((0.01, "less"), (-0.01, "greater"))
    )
    assert equivalence(d, 0.01) == pytest.approx(max(below, above), abs=1e-4)
    assert equivalence(-d, 0.01) == pytest.approx(max(below, above), abs=1e-4)
    assert equivalence(d, 0.5) < 1e-3
    assert equivalence(np.zeros((5, 2)), 0.01) == 0.0
    assert equivalence(np.full((5, 2), 0.011), 0.01) == 1.0


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("side", [-1, 1])
def test_at_a_difference_of_the_margin_one_in_twenty_is_called_equivalent(rng, seeds, side):
    margin, found = 0.02, []
    for _ in range(2_000):
        topics, trainings = rng.normal(0, 0.05, size=(100, 1)), rng.normal(0, 0.004, size=(1, seeds))
        noise = rng.normal(0, 0.03, size=(100, seeds))
        found.append(equivalence(side * margin + topics + noise + (trainings if seeds > 1 else 0), margin) < 0.05)
    assert 0.03 <= np.mean(found) <= 0.06
