import pytest

from optical_cli.align.receivers import receivers

TOKENS = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0.81, 0.12, 0.03, 0.02, 0.02], "a 81 · b 12 · rest 7"),
        ([0.0, 1.0, 0.0, 0.0, 0.0], "b 100"),
        ([0.2] * 5, "5 about alike"),
        ([0.0] * 5, "no mass"),
        ([0.4, 0.3, 0.2, 0.1, 0.0], "a 40 · b 30 · c 20 · rest 10"),
    ],
)
def test_mass_is_told_by_its_receivers(shares, said):
    assert receivers(TOKENS, shares) == said
