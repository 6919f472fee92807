"""Convergence figures of the transport plans of a training, and the check that stops on untrustworthy plans."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from optical_cli.config.transport import TOLERATED_SHARE, Transport
from optical_cli.data.bitext import SentencePair
from optical_cli.errors import NotConverged, quoted
from optical_cli.transport import Coupling
from optical_cli.transport.solvers import SOLVERS, format_reg, iterates


@dataclass
class TrainingHealth:
    """Totals over the transport plans solved so far, and over the sentences that were compared with an anchor."""

    plans: int = 0
    unconverged: int = 0
    worst_error: float = 0.0  # largest L1 marginal error
    iterations: int = 0  # sum
    targets: float = 0.0  # sum of effective targets
    lowest_mass: float = math.inf
    anchored: int = 0  # sentences
    apart: float = 0.0  # sum of their distances from the anchor

    def add(self, coupling: Coupling) -> None:
        """Count the plans of a batch."""
        self.merge(
            TrainingHealth(
                plans=len(coupling.converged),
                unconverged=int((~coupling.converged).sum()),
                worst_error=float(_errors(coupling).max()),
                iterations=int(coupling.iterations.sum()),
                targets=float(coupling.effective_targets.sum()),
                lowest_mass=float(coupling.mass.min()),
            )
        )

    def merge(self, other: "TrainingHealth") -> None:
        """Add the totals over other plans."""
        self.plans += other.plans
        self.unconverged += other.unconverged
        self.worst_error = max(self.worst_error, other.worst_error)
        self.iterations += other.iterations
        self.targets += other.targets
        self.lowest_mass = min(self.lowest_mass, other.lowest_mass)
        self.anchored += other.anchored
        self.apart += other.apart

    def summary(self) -> dict[str, Any]:
        """Return the figures as JSON values; empty without plans and without an anchor.

        `iterations`, `effective_targets` and `anchor_distance` are means, `marginal_error` is the largest L1 error of a
        plan, and `mass` the smallest mass of a plan.
        """
        anchor = {"anchor_distance": round(self.apart / self.anchored, 6)} if self.anchored else {}
        if self.plans == 0:
            return anchor
        return anchor | {
            "plans": self.plans,
            "unconverged": self.unconverged,
            "converged": round(1 - self.unconverged / self.plans, 6),
            "marginal_error": self.worst_error,
            "iterations": round(self.iterations / self.plans, 2),
            "effective_targets": round(self.targets / self.plans, 4),
            "mass": self.lowest_mass,
        }


@dataclass(eq=False)
class Guard:
    """Stops a training whose plans cannot be trusted; the error names the step, the sentences and a remedy.

    Attributes:
        expected_plans: number of plans in the whole training.
        pairs: sentence pairs by row of the teacher's encodings.
        say: prints a warning; called once if `transport.on_unconverged` is `warn`.
    """

    settings: Transport
    expected_plans: int
    pairs: Sequence[SentencePair]
    say: Callable[[str], None]
    _plans: int = 0
    _unconverged: int = 0
    _warned: bool = False

    def check(self, coupling: Coupling, rows: Sequence[int], step: int, reg: float) -> None:
        """Check the plans of a batch before the student learns from them.

        Args:
            coupling: the plans.
            rows: the row of the teacher's encodings behind each plan.
            step: step of the optimizer, from 1.
            reg: of these plans.

        Raises:
            NotConverged: a plan has no mass or is not finite, so that its loss would be 0 or nan; or more plans missed
                the threshold than are tolerated in the whole training, and `transport.on_unconverged` is `fail`.
        """
        self._plans += len(rows)
        self._unconverged += int((~coupling.converged).sum())
        broken = ~(torch.isfinite(coupling.mass) & (coupling.mass > 0))
        if broken.any():
            first = int(broken.int().argmax())
            fault = "has no mass" if float(coupling.mass[first]) == 0 else "is not finite"
            remedy = SOLVERS[self.settings.solver].remedy_without_mass or self._remedy(reg)
            raise NotConverged(
                f"step {step}, reg {format_reg(reg)}: the transport plan of {self._pair(rows[first])} {fault}; {remedy}"
            )
        if self._unconverged <= TOLERATED_SHARE * self.expected_plans or self._warned:
            return
        missed = self._missed(coupling, rows, step, reg)
        if self.settings.on_unconverged == "fail":
            raise NotConverged(
                f"{missed}; raise transport.max_iterations or transport.threshold, "
                f"{self._remedy(reg)}, or set transport.on_unconverged: warn"
            )
        self._warned = True
        self.say(f"{missed}; the training continues (transport.on_unconverged: warn)")

    def state(self) -> dict[str, Any]:
        """Return the counts as JSON values, for a savepoint."""
        return {"plans": self._plans, "unconverged": self._unconverged, "said": self._warned}

    def resume(self, plans: int, unconverged: int, said: bool) -> None:
        """Continue from the counts of a savepoint; `said` is whether the warning was printed."""
        self._plans, self._unconverged, self._warned = plans, unconverged, said

    def _missed(self, coupling: Coupling, rows: Sequence[int], step: int, reg: float) -> str:
        worst = int(torch.where(coupling.converged, -1.0, _errors(coupling)).argmax())
        error = float(coupling.marginal_error[worst])
        return (
            f"step {step}, reg {format_reg(reg)}: {self._unconverged} of {self._plans} transport plans missed "
            f"the threshold {self.settings.threshold:g} within {self.settings.max_iterations} iterations; the worst "
            f"plan of this step, with a marginal error of {error:.2g}, is that of {self._pair(rows[worst])}"
        )

    def _pair(self, row: int) -> str:
        pair = self.pairs[row]
        return f"{quoted(pair.teacher)} and {quoted(pair.foreign)} (line {pair.row + 1} of the bitext)"

    def _remedy(self, reg: float) -> str:
        if not iterates(reg):  # the exact solver has no settings to change
            return "choose a reg from 0.001 up"
        remedy = SOLVERS[self.settings.solver].remedy
        return remedy if self.settings.anneal else f"{remedy}, or start from a larger reg (transport.anneal)"


def _errors(coupling: Coupling) -> torch.Tensor:
    """(B,) marginal errors, with inf for a plan of nan, so that a maximum finds it."""
    return coupling.marginal_error.nan_to_num(nan=math.inf)
