"""The optimal transport that a student is trained on."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from optical_cli.config.settings import Count, Number, Positive, Regs, Settings
from optical_cli.transport.solvers import SMALLEST_REG, SOLVER_EXPECTED, SOLVERS, Solver, format_reg, iterates

DEFAULT_REGS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)
TOLERATED_SHARE = 0.01  # of a training's plans, which may miss the threshold before `on_unconverged` is asked


def _known(solver: str) -> str:
    if solver not in SOLVERS:
        raise ValueError(SOLVER_EXPECTED)
    return solver


class Anneal(Settings):
    """A regularization that falls while the student learns.

    Attributes:
        start: reg of the first step (`from` in the file); a cell whose own reg is not below it is not annealed.
        share: share of the steps over which reg falls to the cell's own, by the same factor a step.
    """

    start: Annotated[Number, Field(alias="from", ge=SMALLEST_REG)] = 1.0
    share: Annotated[Number, Field(gt=0, le=1)] = 0.5


class Transport(Settings):
    """The optimal transport between the tokens of a sentence and those of its translation.

    Attributes:
        solver: a name of `transport.solvers.SOLVERS`.
        reg_marginal: what a missed marginal costs `unbalanced`, in units of the cost.
        steps: number of steps of `proximal`.
        reg: strengths of the regularization, in units of the cost; by default all of the grid that the solver takes.
        marginals: the mass of each token; `uniform`, or `idf`: rare tokens weigh more.
        threshold: a plan has converged when its marginals are off by no more than this (L1).
        max_iterations: iterations after which a plan is given up as unconverged.
        on_unconverged: what happens when more than 1 % of the plans are.
        anneal: how reg falls to a cell's own while the student learns; null for the same reg at every step.
    """

    solver: Annotated[str, AfterValidator(_known)] = "sinkhorn"
    reg_marginal: Positive = SOLVERS["unbalanced"].defaults["reg_marginal"]
    steps: Count = SOLVERS["proximal"].defaults["steps"]
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
        solver = SOLVERS.get(str(given.get("solver", "sinkhorn")))
        if solver is None:
            return given  # refused later, as are faulty settings of its own
        own = {name: given[name] for name in solver.defaults if type(given.get(name)) is int and given[name] > 0}
        return {**given, "reg": [reg for reg in DEFAULT_REGS if not solver.fault_of(reg, {**solver.defaults, **own})]}

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        faults = [f"reg: {fault}" for reg in self.reg if (fault := self.fault_of(reg))]
        if self.anneal and (fault := self.fault_of(self.anneal.start)):
            faults.append(f"anneal.from: {fault}")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def _solver(self) -> Solver:
        return SOLVERS[self.solver]

    @property
    def _own(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._solver.defaults}

    @property
    def smallest_reg(self) -> float:
        """The smallest reg above 0 that the solver takes."""
        return self._solver.smallest_reg(self._own)

    def fault_of(self, reg: float) -> str | None:
        """Why the solver does not take a reg; None if it does."""
        return self._solver.fault_of(reg, self._own)

    def anneals(self, reg: float) -> bool:
        """Whether a cell of this reg begins at a larger one."""
        return self.anneal is not None and reg < self.anneal.start

    def solve_arguments(self, reg: float) -> dict[str, Any]:
        """The arguments of `transport.solve` besides problem and reg; none where nothing iterates."""
        if not iterates(reg):
            return {}
        return {name: getattr(self, name) for name in ("solver", "threshold", "max_iterations", *self._own)}

    @property
    def in_words(self) -> str:
        """How plans are solved, for reports: `sinkhorn, uniform marginals`."""
        words = f"{self._solver.in_words(self._own)}, {self.marginals} marginals"
        if self.anneal is None:
            return words
        return f"{words}, reg falling from {format_reg(self.anneal.start)} over {self.anneal.share:.0%} of the steps"

    def deciding_of(self, reg: float) -> dict[str, Any]:
        """The settings that can change the student of a reg, as JSON values: key material."""
        material: dict[str, Any] = {"reg": reg, "marginals": self.marginals}
        first = reg
        if self.anneal is not None and self.anneals(reg):
            material["anneal"] = {"from": self.anneal.start, "share": self.anneal.share}
            first = self.anneal.start
        if iterates(first):
            material |= {**self.solve_arguments(first), "on_unconverged": self.on_unconverged}
        return material
