"""Ridge regression from sums, so that no more than a batch of tokens is ever in memory."""

from dataclasses import dataclass
from typing import Self

import torch


@dataclass(frozen=True, eq=False)
class Moments:
    """What a ridge regression of targets t on states x has to know of them.

    Attributes:
        states: (d, d) float64, the sum of x x'.
        cross: (d, k) float64, the sum of x t'.
        count: how many pairs (x, t) were summed.
    """

    states: torch.Tensor
    cross: torch.Tensor
    count: int

    @classmethod
    def of(cls, x: torch.Tensor, t: torch.Tensor) -> Self:
        """The moments of states (pairs, d) and targets (pairs, k)."""
        x, t = x.double(), t.double()
        return cls(x.T @ x, x.T @ t, len(x))

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both."""
        return Moments(self.states + other.states, self.cross + other.cross, self.count + other.count)

    def projection(self, ridge: float) -> torch.Tensor:
        """The W that minimizes the sum of |W x - t|^2 + penalty |W|^2.

        Args:
            ridge: the penalty, relative to the mean eigenvalue of `states`.

        Returns:
            W, (k, d) float32.
        """
        penalty = ridge * self.states.diagonal().mean() * torch.eye(len(self.states), dtype=torch.float64)
        weight: torch.Tensor = torch.linalg.solve(self.states + penalty, self.cross)
        return weight.T.to(torch.float32)
