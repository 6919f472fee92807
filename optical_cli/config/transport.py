"""The optimal transport that a student is trained on."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from optical_cli.config.settings import SMALLEST_REG, Count, Number, Positive, Regs, Settings

Solver = Literal["sinkhorn", "exact", "proximal", "unbalanced", "quadratic"]

DEFAULT_REGS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)

TOLERATED_SHARE = 0.01
"""Share of the plans of a training that may miss the threshold before `on_unconverged` is asked."""


class Anneal(Settings):
    """A regularization that falls while the student learns.

    Attributes:
        start: reg of the first step (`from` in the file); a cell whose own reg is not below it is not annealed.
        share: of the steps over which reg falls, by the same factor a step, to the cell's own.
    """

    start: Annotated[Number, Field(alias="from", ge=SMALLEST_REG)] = 1.0
    share: Annotated[Number, Field(gt=0, le=1)] = 0.5


class Transport(Settings):
    """The optimal transport between the tokens of a sentence and those of its translation.

    Attributes:
        solver: `sinkhorn` (entropic), `exact`, `proximal` (inexact proximal steps of size reg), `unbalanced`
            (entropic, marginals relaxed) or `quadratic` (sparse plans).
        reg_marginal: what a missed marginal costs `unbalanced`, in units of the cost.
        steps: of `proximal`.
        reg: one strength of the regularization or several, in units of the cost (cosine distance); by default all
            of the grid that the solver takes.
        marginals: the mass of each token; `uniform`, or `idf`: rare tokens weigh more.
        threshold: a plan has converged when its marginals are off by no more than this (L1).
        max_iterations: after so many a plan is given up as unconverged.
        on_unconverged: what happens when more than 1 % of the plans are.
        anneal: how reg falls to a cell's own while the student learns; null for the same reg at every step.
    """

    solver: Solver = "sinkhorn"
    reg_marginal: Positive = 1.0
    steps: Count = 10
    reg: Regs = DEFAULT_REGS
    marginals: Literal["uniform", "idf"] = "uniform"
    threshold: Annotated[Positive, Field(lt=1)] = 1e-5
    max_iterations: Count = 10_000
    on_unconverged: Literal["fail", "warn"] = "fail"
    anneal: Anneal | None = None

    @model_validator(mode="before")
    @classmethod
    def _regs_of_the_solver(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "reg" in given:
            return given
        steps = given.get("steps")
        known: dict[str, Any] = {"steps": steps} if type(steps) is int and steps > 0 else {}  # else told later
        asked = cls.model_construct(solver=given.get("solver", "sinkhorn"), **known)
        return {**given, "reg": [reg for reg in DEFAULT_REGS if not asked.fault_of(reg)]}

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        faults = [f"reg: {fault}" for reg in self.reg if (fault := self.fault_of(reg))]
        if self.anneal and self.solver == "exact":
            faults.append("anneal: the solver exact has no reg that could fall; sinkhorn with reg 0 expected")
        elif self.anneal and self.anneal.start < self.smallest_reg:
            faults.append(
                f"anneal.from: at least {self.smallest_reg:g} expected ({self.steps} proximal steps, and "
                f"reg / steps is at least {SMALLEST_REG}), found {self.anneal.start:g}"
            )
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def smallest_reg(self) -> float:
        """The smallest reg above 0 that the solver takes."""
        if self.solver != "proximal":
            return SMALLEST_REG
        smallest = SMALLEST_REG * self.steps
        return smallest if smallest / self.steps >= SMALLEST_REG else math.nextafter(smallest, math.inf)

    def fault_of(self, reg: float) -> str | None:
        """Why the solver does not take a reg that is one by itself; None if it does."""
        if self.solver == "exact" and reg != 0:
            return f"0 alone expected with the solver exact, found {reg:g}; leave reg out, or take another solver"
        if self.solver == "unbalanced" and reg == 0:
            return f"at least {SMALLEST_REG} expected with the solver unbalanced, found 0"
        if 0 < reg < self.smallest_reg:
            return (
                f"0 or at least {self.smallest_reg:g} expected with {self.steps} proximal steps (reg / steps is at "
                f"least {SMALLEST_REG}), found {reg:g}; raise reg or lower transport.steps"
            )
        return None

    def anneals(self, reg: float) -> bool:
        """Whether a cell of this reg begins at a larger one."""
        return self.anneal is not None and reg < self.anneal.start

    def iterates(self, reg: float) -> bool:
        """Whether a solver iterates at this reg; the exact plan and the product of the marginals need none."""
        return reg != 0 and not math.isinf(reg)

    def solve_arguments(self, reg: float) -> dict[str, Any]:
        """What `transport.solve` is told besides problem and reg; nothing where nothing iterates."""
        if not self.iterates(reg):
            return {}
        own = {"unbalanced": ["reg_marginal"], "proximal": ["steps"]}.get(self.solver, [])
        return {name: getattr(self, name) for name in ("solver", "threshold", "max_iterations", *own)}

    @property
    def in_words(self) -> str:
        """How plans are solved, as a report has it: `sinkhorn, uniform marginals`."""
        own = {"unbalanced": f" (reg_marginal {self.reg_marginal:g})", "proximal": f" ({self.steps} steps)"}
        words = f"{self.solver}{own.get(self.solver, '')}, {self.marginals} marginals"
        if self.anneal is None:
            return words
        return f"{words}, reg falling from {self.anneal.start:g} over {self.anneal.share:.0%} of the steps"

    def deciding_of(self, reg: float) -> dict[str, Any]:
        """Those of the settings that can change the student of a reg, as JSON values: key material."""
        material: dict[str, Any] = {"reg": reg, "marginals": self.marginals}
        first = reg
        if self.anneal is not None and self.anneals(reg):
            material["anneal"] = {"from": self.anneal.start, "share": self.anneal.share}
            first = self.anneal.start
        if self.iterates(first):
            material |= {**self.solve_arguments(first), "on_unconverged": self.on_unconverged}
        return material
