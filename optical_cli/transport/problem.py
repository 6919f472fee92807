"""A transport problem in a padded batch."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from optical_cli.errors import DataError

SUM_TOLERANCE = 1e-4  # float32 marginals of several hundred tokens sum to 1 within 1e-5


@dataclass(frozen=True, eq=False)
class TransportProblem:
    """A batch of costs between tokens, and the mass of the tokens on either side.

    A token without mass is padding: it takes no part, whatever its cost.

    Attributes:
        cost: (B, n, m) float32 or float64, finite, padding included.
        a: (B, n) mass of the teacher tokens, not negative, a row sums to 1; kept in the dtype of the cost,
            where it is made to sum to 1 anew.
        b: (B, m) mass of the student tokens, likewise.

    Raises:
        DataError: a shape, a dtype, a device, a sum, or a number that is not finite.
    """

    cost: Tensor
    a: Tensor
    b: Tensor

    def __post_init__(self) -> None:
        if self.cost.ndim != 3:
            raise DataError(f"a batch of costs has the shape (B, n, m), this one {tuple(self.cost.shape)}")
        if not self.cost.numel():
            raise DataError(f"an empty batch of costs, shape {tuple(self.cost.shape)}")
        if self.cost.dtype not in {torch.float32, torch.float64}:
            raise DataError(f"costs are float32 or float64, these are {self.cost.dtype}")
        if not _all_finite(self.cost):
            rows = (~torch.isfinite(self.cost)).flatten(1).any(dim=1).nonzero()[:, 0].tolist()
            raise DataError(f"costs are not finite in row {', '.join(map(str, rows))} of a batch of {len(self.cost)}")
        size, n, m = self.cost.shape
        object.__setattr__(self, "a", self._marginal("a", self.a, (size, n)))
        object.__setattr__(self, "b", self._marginal("b", self.b, (size, m)))

    def _marginal(self, name: str, mass: Tensor, shape: tuple[int, int]) -> Tensor:
        if tuple(mass.shape) != shape:
            raise DataError(
                f"marginal {name} of costs {tuple(self.cost.shape)} has the shape {shape}, this one {tuple(mass.shape)}"
            )
        if mass.device != self.cost.device:
            raise DataError(f"marginal {name} is on {mass.device}, the costs are on {self.cost.device}")
        mass = mass.detach().to(self.cost.dtype)
        total = mass.sum(dim=-1, keepdim=True)
        sums, masses = _numbers(total), _numbers(mass)
        sound = sums.min() >= 1 - SUM_TOLERANCE and sums.max() <= 1 + SUM_TOLERANCE and masses.min() >= 0
        if not sound:  # a nan is not either
            raise DataError(f"marginal {name} has to be finite and not negative and to sum to 1 in every row")
        return mass / total  # float32 sums differ by 1e-8: too much for float64 thresholds


def _all_finite(cost: Tensor) -> bool:
    finite = np.isfinite if cost.device.type == "cpu" else torch.isfinite
    return bool(finite(_numbers(cost)).all())


def _numbers(x: Tensor) -> Any:
    """For a look at them, on the CPU numpy's: torch would wake its threads for some thousand, at every step."""
    return x.detach().numpy() if x.device.type == "cpu" else x


class Solution(NamedTuple):
    """What an engine found, in dtype and on the device of the cost; zero on padding.

    Attributes:
        plan: (B, n, m).
        f: (B, n) potentials of the rows, in units of the cost.
        g: (B, m) those of the columns.
        iterations: (B,) int64; 0 for what needs none.
    """

    plan: Tensor
    f: Tensor
    g: Tensor
    iterations: Tensor
