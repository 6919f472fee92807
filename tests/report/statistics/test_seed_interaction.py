import numpy as np
import pytest
from scipy import stats

from optical_cli.report.statistics.seed_interaction import f_tail, seed_interaction


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
