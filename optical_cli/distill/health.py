"""Whether the plans of a training can be trusted."""

from typing import Any

from optical_cli.config.experiment import Transport
from optical_cli.errors import NotConverged
from optical_cli.transport import Coupling

TOLERATED_SHARE = 0.01
"""Share of the plans that may miss the threshold before `on_unconverged` is asked."""


class Health:
    """Figures of the plans solved so far."""

    def __init__(self) -> None:
        self.plans = 0
        self.unconverged = 0
        self._worst_error = 0.0
        self._iterations = 0
        self._targets = 0.0
        self._lowest_mass = float("inf")

    def add(self, coupling: Coupling) -> None:
        """Count the plans of a batch."""
        self.plans += len(coupling.converged)
        self.unconverged += int((~coupling.converged).sum())
        self._worst_error = max(self._worst_error, float(coupling.marginal_error.max()))
        self._iterations += int(coupling.iterations.sum())
        self._targets += float(coupling.effective_targets.sum())
        self._lowest_mass = min(self._lowest_mass, float(coupling.mass.min()))

    def merge(self, other: "Health") -> None:
        """Count the plans that another has counted."""
        self.plans += other.plans
        self.unconverged += other.unconverged
        self._worst_error = max(self._worst_error, other._worst_error)
        self._iterations += other._iterations
        self._targets += other._targets
        self._lowest_mass = min(self._lowest_mass, other._lowest_mass)

    def summary(self) -> dict[str, Any]:
        """The figures as JSON values; empty if there was no plan.

        `marginal_error` is the largest L1 error of a plan, `iterations` and `effective_targets` (teacher token
        to student tokens, exp of the entropy) are means, `mass` is the smallest of a plan.
        """
        if self.plans == 0:
            return {}
        return {
            "plans": self.plans,
            "converged": round(1 - self.unconverged / self.plans, 6),
            "marginal_error": self._worst_error,
            "iterations": round(self._iterations / self.plans, 2),
            "effective_targets": round(self._targets / self.plans, 4),
            "mass": self._lowest_mass,
        }


def check(health: Health, expected_plans: int, step: int, reg: float, settings: Transport) -> None:
    """Stop a training that cannot stay under the tolerated share of unconverged plans any more.

    Args:
        health: of all plans so far.
        expected_plans: how many the whole training will have.
        step: where the training is.

    Raises:
        NotConverged: if `on_unconverged` is `fail`.
    """
    if settings.on_unconverged == "fail" and health.unconverged > TOLERATED_SHARE * expected_plans:
        found = health.summary()
        raise NotConverged(
            f"step {step}, reg {reg:g}: {health.unconverged} of {health.plans} transport plans missed the threshold "
            f"{settings.threshold:g} within {settings.max_iterations} iterations (worst marginal error "
            f"{found['marginal_error']:.2g}); raise transport.max_iterations or transport.threshold, choose a "
            "larger reg or 0, or set transport.on_unconverged: warn"
        )
