"""Transport problems in padded batches: costs between tokens, and the mass of each token."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from optical_cli.errors import DataError

Start: TypeAlias = tuple[Tensor, Tensor] | None
"""Initial potentials f (B, n) and g (B, m), in units of the cost; None to start without any."""

SUM_TOLERANCE = 1e-4  # float32 marginals of several hundred tokens sum to 1 within 1e-5


@dataclass(frozen=True, eq=False)
class TransportProblem:
    """Costs between the tokens of B sentence pairs, and the mass of each token.

    A token of mass 0 is padding: its costs are ignored.

    Attributes:
        cost: (B, n, m) float32 or float64; finite, also on padding.
        a: (B, n) mass of the teacher tokens, at least 0; each row sums to 1. Stored in the dtype of the cost, rescaled
            to sum to 1 in that dtype.
        b: (B, m) mass of the student tokens, with the same requirements.

    Raises:
        DataError: shapes, dtypes or devices do not match, a value is not finite, or masses do not sum to 1.
    """

    cost: Tensor
    a: Tensor
    b: Tensor

    def __post_init__(self) -> None:
        if self.cost.ndim != 3:
            raise DataError(f"costs: shape (B, n, m) expected, found {tuple(self.cost.shape)}")
        if not self.cost.numel():
            raise DataError(f"costs: empty, shape {tuple(self.cost.shape)}")
        if self.cost.dtype not in {torch.float32, torch.float64}:
            raise DataError(f"costs: float32 or float64 expected, found {self.cost.dtype}")
        if not _all_finite(self.cost):
            faulty = (~torch.isfinite(self.cost)).flatten(1).any(dim=1)
            raise DataError(f"costs: not finite in {_rows(faulty)}")
        size, n, m = self.cost.shape
        object.__setattr__(self, "a", self._marginal("a", self.a, (size, n)))
        object.__setattr__(self, "b", self._marginal("b", self.b, (size, m)))

    def _marginal(self, name: str, mass: Tensor, shape: tuple[int, int]) -> Tensor:
        if tuple(mass.shape) != shape:
            raise DataError(
                f"marginal {name}: shape {shape} expected for costs {tuple(self.cost.shape)}, found {tuple(mass.shape)}"
            )
        if mass.device != self.cost.device:
            raise DataError(f"marginal {name}: {self.cost.device} expected, as the costs, found {mass.device}")
        mass = mass.detach().to(self.cost.dtype)
        total = mass.sum(dim=-1, keepdim=True)
        sums, masses = _numbers(total), _numbers(mass)
        sound = sums.min() >= 1 - SUM_TOLERANCE and sums.max() <= 1 + SUM_TOLERANCE and masses.min() >= 0
        if not sound:  # also if a mass is nan
            raise DataError(f"marginal {name}: finite masses of at least 0 expected, which sum to 1 in each row")
        return mass / total  # sums of float32 masses are off by 1e-8, too much for a float64 threshold


def widest(device: torch.device) -> torch.dtype:
    """Return the most precise dtype of a device: float64, but float32 on Apple's GPUs, which have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


class Solution(NamedTuple):
    """What a solver returns: plans and potentials in the dtype and on the device of the cost, 0 on padding."""

    plan: Tensor  # (B, n, m)
    f: Tensor  # (B, n) potentials of the rows, in units of the cost
    g: Tensor  # (B, m) potentials of the columns, in units of the cost
    iterations: Tensor  # (B,) int64


def cosine_cost(t: Tensor, s: Tensor) -> Tensor:
    """Cosine distance (B, n, m) of every pair of tokens, from 0 (same direction) to 2 (opposite).

    The result is float64 if either input is, else float32, even under autocast: reg goes down to 0.001, which bfloat16
    costs cannot resolve.

    Args:
        t: (B, n, d) teacher tokens of unit length; any finite value on padding.
        s: (B, m, d) student tokens of unit length; any finite value on padding.
    """
    with torch.autocast(t.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(t.dtype, s.dtype), torch.float32)
        return 1 - t.to(dtype) @ s.to(dtype).transpose(-1, -2)  # (B, n, d) @ (B, d, m)


def uniform_marginals(mask: Tensor) -> Tensor:
    """Give each token of a sentence the same mass.

    Args:
        mask: (B, n), true where a token is and false on padding.

    Returns:
        (B, n) float32; each row sums to 1 and is 0 on padding.

    Raises:
        DataError: a row has no token.
    """
    return weighted_marginals(torch.ones(mask.shape, device=mask.device), mask)


def weighted_marginals(weights: Tensor, mask: Tensor) -> Tensor:
    """Give each token of a sentence mass in proportion to its weight.

    Args:
        weights: (B, n), positive and finite on tokens; any value on padding.
        mask: (B, n), true where a token is and false on padding.

    Returns:
        (B, n) float32; each row sums to 1 and is 0 on padding.

    Raises:
        DataError: a row has no token, or the weight of a token is not positive and finite.
    """
    mask = mask.bool()
    if (empty := ~mask.any(dim=-1)).any():
        raise DataError(
            f"no token to transport in {_rows(empty)}: the mask is false everywhere; drop empty sentences first"
        )
    unfit = (mask & ~((weights > 0) & weights.isfinite())).any(dim=-1)
    if unfit.any():
        raise DataError(f"weights: positive and finite numbers expected on all tokens, not so in {_rows(unfit)}")
    mass = weights.to(torch.float32).masked_fill(~mask, 0)
    return mass / mass.sum(dim=-1, keepdim=True)


def idf_weights(sentences: Iterable[npt.ArrayLike], vocabulary: int) -> Tensor:
    """Compute the inverse document frequency of each token: log((1 + N) / (1 + df)) + 1.

    N is the number of sentences, df the number of those that contain the token; smoothed as in scikit-learn's
    `TfidfTransformer`. The weight is 1 for a token of every sentence and log(1 + N) + 1 for a token of none.

    Args:
        sentences: the token ids of each sentence, from 0 to `vocabulary` - 1.
        vocabulary: number of tokens.

    Returns:
        (vocabulary,) float32, each at least 1.
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
    """View a CPU tensor as a numpy array, which is checked on one thread; torch would wake its threads at each step."""
    return x.detach().numpy() if x.device.type == "cpu" else x


def _rows(faulty: Tensor) -> str:
    numbers = faulty.nonzero()[:, 0].tolist()
    return f"row{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))} of a batch of {len(faulty)}"
