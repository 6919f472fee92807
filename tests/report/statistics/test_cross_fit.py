import numpy as np
import pytest

from optical_cli.report.statistics.cross_fit import cross_fit


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
