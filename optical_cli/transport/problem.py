"""A transport problem in a padded batch: costs between tokens, and the mass of each token."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from optical_cli.errors import DataError

Start: TypeAlias = tuple[Tensor, Tensor] | None
"""Potentials (B, n) and (B, m) to begin with, in units of the cost."""

SUM_TOLERANCE = 1e-4  # float32 marginals of several hundred tokens sum to 1 within 1e-5


@dataclass(frozen=True, eq=False)
class TransportProblem:
    """Costs between the tokens of two sentences, and the mass of the tokens on either side.

    A token without mass is padding: it takes no part, whatever its cost.

    Attributes:
        cost: (B, n, m) float32 or float64, finite, padding included.
        a, b: (B, n) and (B, m) mass of the teacher and the student tokens, not negative; a row sums to 1. Kept in the
            dtype of the cost, where they are made to sum to 1 anew.

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
            faulty = (~torch.isfinite(self.cost)).flatten(1).any(dim=1)
            raise DataError(f"costs are not finite in {_rows(faulty)}")
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


class Solution(NamedTuple):
    """The plans of a solver, in dtype and on the device of the cost; zero on padding."""

    plan: Tensor  # (B, n, m)
    f: Tensor  # (B, n) potentials of the rows, in units of the cost
    g: Tensor  # (B, m) potentials of the columns, in units of the cost
    iterations: Tensor  # (B,) int64


def cosine_cost(t: Tensor, s: Tensor) -> Tensor:
    """One minus the cosine of every pair of tokens (B, n, m), 0 (same direction) to 2 (opposite).

    t (B, n, d) and s (B, m, d) are tokens of unit length; padding may hold any finite number. Costs are float64 if both
    are, else float32, even under autocast: reg is compared with them down to 0.001, which bfloat16 cannot resolve.
    """
    with torch.autocast(t.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(t.dtype, s.dtype), torch.float32)
        return 1 - t.to(dtype) @ s.to(dtype).transpose(-1, -2)  # (B, n, d) @ (B, d, m)


def uniform_marginals(mask: Tensor) -> Tensor:
    """Give every token of a sentence the same mass; as `weighted_marginals` with equal weights."""
    return weighted_marginals(torch.ones(mask.shape, device=mask.device), mask)


def weighted_marginals(weights: Tensor, mask: Tensor) -> Tensor:
    """Give the tokens of a sentence mass in proportion to their weights.

    `weights` (B, n) are positive and finite where `mask` (B, n) is true, that is where a token is; anything on padding.
    Returns (B, n) float32; a row sums to 1 and is zero where masked.

    Raises:
        DataError: a row has no token, or a token has a weight that is not positive and finite.
    """
    mask = mask.bool()
    if (empty := ~mask.any(dim=-1)).any():
        raise DataError(
            f"no token to transport in {_rows(empty)}: all positions are masked; drop empty sentences first"
        )
    unfit = (mask & ~((weights > 0) & weights.isfinite())).any(dim=-1)
    if unfit.any():
        raise DataError(f"no mass for a token in {_rows(unfit)}: its weight has to be positive and finite")
    mass = weights.to(torch.float32).masked_fill(~mask, 0)
    return mass / mass.sum(dim=-1, keepdim=True)


def idf_weights(sentences: Iterable[npt.ArrayLike], vocabulary: int) -> Tensor:
    """Weigh every token by how few sentences have it: log((1 + N) / (1 + df)) + 1.

    N sentences, df of which have the token: as scikit-learn's `TfidfTransformer`, smoothed. A token that every sentence
    has weighs 1, one that none has log(1 + N) + 1.
    `sentences` has the token ids of each, 0 to `vocabulary` - 1. Returns (vocabulary,) float32, from 1 up.
    """
    found = np.zeros(vocabulary, np.int64)
    count = 0
    for ids in sentences:
        found[np.unique(np.asarray(ids, np.int64))] += 1
        count += 1
    return torch.from_numpy(np.log((1 + count) / (1 + found)) + 1).to(torch.float32)


def _all_finite(cost: Tensor) -> bool:
    finite = np.isfinite if cost.device.type == "cpu" else torch.isfinite
    return bool(finite(_numbers(cost)).all())


def _numbers(x: Tensor) -> Any:
    """The numbers to check, on the CPU as numpy's: torch would wake its threads for some thousand, at every step."""
    return x.detach().numpy() if x.device.type == "cpu" else x


def _rows(faulty: Tensor) -> str:
    numbers = ", ".join(map(str, faulty.nonzero()[:, 0].tolist()))
    return f"row {numbers} of a batch of {len(faulty)}"
