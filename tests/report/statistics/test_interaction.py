import numpy as np
import pytest

from optical_cli.report.statistics.interaction import interaction


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
