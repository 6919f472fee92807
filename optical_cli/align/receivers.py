"""Where the mass of a token goes, in words."""

from collections.abc import Sequence

NAMED = 3
SMALLEST = 5
"""By name are told at most so many receivers of a token's mass, and none below so many percent."""
ALIKE = 1.25
"""Where no share is more than so many times the mean, all are about alike."""


def all_alike(shares: Sequence[float]) -> bool:
    """Whether a token's mass goes everywhere about alike, so that none of its many receivers is worth a name."""
    return len(shares) > NAMED and 0 < max(shares) <= ALIKE * sum(shares) / len(shares)


def receivers(tokens: Sequence[str], shares: Sequence[float]) -> str:
    """Which tokens receive how many percent of a token's mass: `mashua 81 · ina 12 · rest 7`, `12 about alike`.

    Args:
        tokens: the student's.
        shares: one a token, 0 to 1.
    """
    if not sum(shares) > 0:
        return "no mass"
    if all_alike(shares):
        return f"{len(shares)} about alike"
    order = sorted(range(len(tokens)), key=lambda token: -shares[token])
    named = [token for token in order[:NAMED] if shares[token] * 100 >= SMALLEST] or order[:1]
    said = [f"{tokens[token]} {100 * shares[token]:.0f}" for token in named]
    rest = 100 * (sum(shares) - sum(shares[token] for token in named))
    return " · ".join([*said, f"rest {rest:.0f}"] if rest >= SMALLEST else said)
