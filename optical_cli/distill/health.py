"""Whether the plans of a training can be trusted."""

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
    """Figures of the plans solved so far: sums of `iterations` and effective `targets`, the worst L1 marginal error."""

    plans: int = 0
    unconverged: int = 0
    worst_error: float = 0.0
    iterations: int = 0
    targets: float = 0.0
    lowest_mass: float = math.inf

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
        """Add the figures of other plans."""
        self.plans += other.plans
        self.unconverged += other.unconverged
        self.worst_error = max(self.worst_error, other.worst_error)
        self.iterations += other.iterations
        self.targets += other.targets
        self.lowest_mass = min(self.lowest_mass, other.lowest_mass)

    def summary(self) -> dict[str, Any]:
        """The figures as JSON values; empty if there was no plan.

        `marginal_error` is the largest L1 error of a plan, `iterations` and `effective_targets` (teacher token
        to student tokens, exp of the entropy) are means, `mass` is the smallest of a plan.
        """
        if self.plans == 0:
            return {}
        return {
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
    """Stops a training whose plans cannot be trusted, and says where, on which sentences and what to change.

    Attributes:
        expected_plans: number of plans of the whole training.
        pairs: the sentence pair behind each of the teacher's rows.
        say: called once with a warning, where unconverged plans do not stop the training.
    """

    settings: Transport
    expected_plans: int
    pairs: Sequence[SentencePair]
    say: Callable[[str], None]
    _plans: int = 0
    _unconverged: int = 0
    _said: bool = False

    def see(self, coupling: Coupling, rows: Sequence[int], step: int, reg: float) -> None:
        """Check the plans of a batch, one for each of the teacher's rows, before the student learns from them.

        Raises:
            NotConverged: a plan has no mass or is not finite, so that a loss of 0 or nan would be learned; or more
                plans missed the threshold than the whole training is allowed, and `on_unconverged` is `fail`.
        """
        self._plans += len(rows)
        self._unconverged += int((~coupling.converged).sum())
        broken = ~(torch.isfinite(coupling.mass) & (coupling.mass > 0))
        if broken.any():
            first = int(broken.int().argmax())
            fault = "has no mass" if float(coupling.mass[first]) == 0 else "is not finite"
            mend = SOLVERS[self.settings.solver].remedy_without_mass or self._easier(reg)
            raise NotConverged(
                f"step {step}, reg {format_reg(reg)}: the transport plan of {self._pair(rows[first])} {fault}; {mend}"
            )
        if self._unconverged <= TOLERATED_SHARE * self.expected_plans or self._said:
            return
        missed = self._missed(coupling, rows, step, reg)
        if self.settings.on_unconverged == "fail":
            raise NotConverged(
                f"{missed}; raise transport.max_iterations or transport.threshold, "
                f"{self._easier(reg)}, or set transport.on_unconverged: warn"
            )
        self._said = True
        self.say(f"{missed}; the training goes on (transport.on_unconverged: warn)")

    def state(self) -> dict[str, Any]:
        """What `resume` needs, as JSON values."""
        return {"plans": self._plans, "unconverged": self._unconverged, "said": self._said}

    def resume(self, plans: int, unconverged: int, said: bool) -> None:
        """Go on counting from a `state`."""
        self._plans, self._unconverged, self._said = plans, unconverged, said

    def _missed(self, coupling: Coupling, rows: Sequence[int], step: int, reg: float) -> str:
        worst = int(torch.where(coupling.converged, -1.0, _errors(coupling)).argmax())
        error = float(coupling.marginal_error[worst])
        return (
            f"step {step}, reg {format_reg(reg)}: {self._unconverged} of {self._plans} transport plans missed "
            f"the threshold {self.settings.threshold:g} within {self.settings.max_iterations} iterations; the worst of "
            f"this step, with a marginal error of {error:.2g}, is that of {self._pair(rows[worst])}"
        )

    def _pair(self, row: int) -> str:
        pair = self.pairs[row]
        return f"{quoted(pair.teacher)} and {quoted(pair.foreign)} (line {pair.row + 1} of the bitext)"

    def _easier(self, reg: float) -> str:
        if not iterates(reg):  # the exact solver; there is nothing to make it easier
            return "choose a reg from 0.001 up"
        easier = SOLVERS[self.settings.solver].remedy
        return easier if self.settings.anneal else f"{easier}, or let it fall from a larger one (transport.anneal)"


def _errors(coupling: Coupling) -> torch.Tensor:
    """(B,) marginal errors; infinite where the plan is not a number, which no maximum may lose."""
    return coupling.marginal_error.nan_to_num(nan=math.inf)
