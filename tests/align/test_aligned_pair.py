import numpy as np

from optical_cli.align.aligned_pair import Alignment


def alignment(plan):
    mass = float(np.sum(plan))
    return Alignment(0.1, np.array(plan), 0.2, 1.5, converged=True, iterations=3, marginal_error=1e-5, mass=mass)


def test_shares_are_those_of_each_teacher_token():
    np.testing.assert_allclose(alignment([[0.1, 0.3], [0.6, 0.0]]).shares, [[0.25, 0.75], [1, 0]])


def test_a_token_that_sends_nothing_has_no_shares():
    np.testing.assert_array_equal(alignment([[0.0, 0.0], [0.5, 0.5]]).shares, [[0, 0], [0.5, 0.5]])


def test_mass_that_was_made_or_lost_is_told():
    assert not alignment([[0.5, 0.5]]).unbalanced
    assert alignment([[0.5, 0.25]]).unbalanced
