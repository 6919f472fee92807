import pytest
import torch

from bench.problems import ALIKE, MIXED, make_problem, token_pairs
from optical_cli.transport import solve


@pytest.mark.parametrize(("family", "fewest", "most"), [(MIXED, 4, 8), (ALIKE, 23, 40)])
def test_effective_targets_are_as_many_as_in_real_text(family, fewest, most):
    spread = solve(make_problem(16, 64, 64, family), 0.1).effective_targets.mean()
    assert fewest < spread < most


def test_tokens_have_unit_length_and_follow_from_the_seed():
    t, s = token_pairs(3, 5, 7)
    again, _ = token_pairs(3, 5, 7)
    other, _ = token_pairs(3, 5, 7, seed=14)
    assert t.shape == (3, 5, 128)
    assert s.shape == (3, 7, 128)
    assert torch.equal(t, again)
    assert not torch.equal(t, other)
    torch.testing.assert_close(s.norm(dim=-1), torch.ones(3, 7))
