import math

import numpy as np
import pytest
import torch

from optical_cli.align.align_tokens import align_tokens
from optical_cli.align.tokens import ScoredTokens
from optical_cli.config.transport import Transport

TURN = torch.tensor([[0.8, -0.6], [0.6, 0.8]])


def tokens(*rows, mass=None):
    """Tokens of unit length, the same mass each by default."""
    size = len(rows)
    own = torch.full((size,), 1 / size) if mass is None else torch.tensor(mass)
    return ScoredTokens(tuple(f"t{i}" for i in range(size)), torch.tensor(rows), own)


BOTH = tokens([1.0, 0.0], [0.0, 1.0])
SWAPPED = tokens([0.0, 1.0], [1.0, 0.0])


def test_reg_0_pairs_what_is_alike():
    aligned = align_tokens(BOTH, SWAPPED, 0.0, Transport())
    np.testing.assert_allclose(aligned.shares, [[0, 1], [1, 0]], atol=1e-6)
    assert (aligned.cost, aligned.effective_targets) == (pytest.approx(0, abs=1e-6), pytest.approx(1))
    assert aligned.converged


def test_reg_inf_sends_every_token_everywhere_as_much_as_it_receives():
    aligned = align_tokens(BOTH, tokens([0.0, 1.0], [1.0, 0.0], mass=[0.75, 0.25]), math.inf, Transport())
    np.testing.assert_allclose(aligned.shares, [[0.75, 0.25]] * 2, atol=1e-6)
    assert aligned.cost == pytest.approx(0.5)


def test_between_them_cost_and_effective_targets_rise_with_reg():
    aligned = [align_tokens(BOTH, SWAPPED, reg, Transport()) for reg in (0.0, 0.2, 1.0, math.inf)]
    for figures in ([one.cost for one in aligned], [one.effective_targets for one in aligned]):
        assert figures == sorted(figures)
        assert figures[1] > figures[0]
    # two tokens at costs 0 and 1: the share of the dear one is 1 / (1 + exp(1 / reg))
    assert aligned[1].shares[0, 0] == pytest.approx(1 / (1 + math.exp(5)), rel=1e-3)


def test_a_plan_that_is_given_up_says_so():
    uneven = tokens([1.0, 0.0], [0.8, 0.6], [0.0, 1.0], mass=[0.7, 0.2, 0.1])
    aligned = align_tokens(BOTH, uneven, 0.01, Transport(max_iterations=1))
    assert not aligned.converged
    assert aligned.marginal_error > 1e-4
