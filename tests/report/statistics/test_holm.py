import numpy as np

from optical_cli.report.statistics.holm import holm


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
