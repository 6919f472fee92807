"""A transport problem in a padded batch, and the coupling that answers it."""

from dataclasses import dataclass
from functools import cached_property

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
        if not torch.isfinite(self.cost).all():
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
        if not ((mass.sum(dim=-1) - 1).abs() <= SUM_TOLERANCE).all() or not (mass >= 0).all():
            raise DataError(f"marginal {name} has to be finite and not negative and to sum to 1 in every row")
        mass = mass.to(self.cost.dtype)
        return mass / mass.sum(dim=-1, keepdim=True)  # float32 sums differ by 1e-8: too much for float64 thresholds


@dataclass(frozen=True, eq=False)
class Coupling:
    """The plans found for a problem, and what they confess: all of it is measured on the plans themselves.

    Attributes:
        problem: what was to be solved.
        plan: (B, n, m) in dtype and device of the cost, exactly zero on padding.
        iterations: (B,) int64 Sinkhorn iterations; 0 for the direct methods (exact, product).
        threshold: the marginal error that counts as converged.
    """

    problem: TransportProblem
    plan: Tensor
    iterations: Tensor
    threshold: float

    @cached_property
    def marginal_error(self) -> Tensor:
        """(B,) L1 distance of the plan's marginals from the problem's, both sides added."""
        rows = (_sum(self.plan, 2) - self.problem.a).abs().sum(dim=1)
        columns = (_sum(self.plan, 1) - self.problem.b).abs().sum(dim=1)
        return rows + columns

    @cached_property
    def mass(self) -> Tensor:
        """(B,) sum of the plan; 1 if all went well."""
        return _sum(self.plan, (1, 2))

    @cached_property
    def converged(self) -> Tensor:
        """(B,) bool: the marginal error is at most the threshold. A plan of NaN or without mass never is."""
        return (self.marginal_error <= self.threshold) & (self.mass > 0)

    @cached_property
    def entropy(self) -> Tensor:
        """(B,) Shannon entropy of the plan in nats, - sum P log P."""
        return -_sum(torch.special.xlogy(self.plan, self.plan), (1, 2))

    @cached_property
    def effective_targets(self) -> Tensor:
        """(B,) over how many student tokens a teacher token is spread.

        The exponential of the plan's conditional entropy: 1 for a one-to-one alignment, m for the product.
        """
        rows = _sum(self.plan, 2)
        of_rows = -torch.special.xlogy(rows, rows).sum(dim=1)
        return torch.exp((self.entropy - of_rows) / self.mass)

    def cost(self, cost: Tensor) -> Tensor:
        """(B,) <P, C> for costs (B, n, m), with P held constant.

        Its gradient in the cost is the plan, which is the gradient of the regularized optimum (envelope theorem).
        """
        return (self.plan.detach() * cost).sum(dim=(1, 2))


def _sum(x: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Sum in float64, so that float32 rounding does not pass for a marginal error."""
    on_mps = x.device.type == "mps"  # Apple's GPUs have no float64
    return x.sum(dim=dim, dtype=torch.float32 if on_mps else torch.float64)
