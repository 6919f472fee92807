"""Settings of the optimal transport between the tokens of a sentence pair."""

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from optical_cli.config.objectives import TARGETS, TRANSPORT
from optical_cli.config.settings import Count, Number, Positive, Regs, Settings, Targets
from optical_cli.transport.solvers import SMALLEST_REG, SOLVER_EXPECTED, SOLVERS, Solver, format_reg, iterates

DEFAULT_REGS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, math.inf)
"""Beyond 0.05 the plans of contextual tokens are nearly the product of the marginals, and little varies."""
TOLERATED_SHARE = 0.01  # share of a training's plans that may miss the threshold before `on_unconverged` applies


def _known(solver: str) -> str:
    if solver not in SOLVERS:
        raise ValueError(SOLVER_EXPECTED)
    return solver


class Anneal(Settings):
    """Annealing: reg falls from a large value to that of the cell during the training.

    Attributes:
        start: Value of reg at the first step (`from` in the file). Cells with this reg or a larger one are not
            annealed.
        share: Share of the steps over which reg falls, by a constant factor per step, to that of the cell.
    """

    start: Annotated[Number, Field(alias="from", ge=SMALLEST_REG)] = 1.0
    share: Annotated[Number, Field(gt=0, le=1)] = 0.5


class Transport(Settings):
    """The optimal transport between the tokens of a sentence and the tokens of its translation.

    Attributes:
        solver: Solver of the transport problem, which decides what is regularized.
        reg_marginal: Penalty on missed marginals, in units of the cost; used by the solver `unbalanced` only.
        steps: Number of proximal steps; used by the solver `proximal` only.
        reg: Weights of the regularization to compare, in units of the cost (cosine distance, 0 to 2). 0 is the exact
            plan, inf the product of the marginals. Without this setting, every default value that the solver accepts.
        targets: Effective targets to compare in place of `reg`, which is another strength in every language: the
            student tokens that the mass of a teacher token is spread over, at the start of the training (the
            exponential of the entropy of its row of the plan, as perplexity is for t-SNE). For each of them, the reg
            that reaches it is found on a sample of the bitext. More than 1; null for a comparison by `reg`.
        marginals: Mass of each token: `uniform`, or `idf` for more mass on rare tokens.
        threshold: Largest marginal error (L1) of a converged plan.
        max_iterations: Iterations after which a plan counts as unconverged.
        on_unconverged: What to do if more than 1 % of a training's plans are unconverged: `fail` stops the training,
            `warn` continues, and reports mark the figures of the student with †.
        anneal: Let reg fall to that of the cell during the training; null for a constant reg.
    """

    solver: Annotated[str, AfterValidator(_known)] = "sinkhorn"
    reg_marginal: Positive = SOLVERS["unbalanced"].defaults["reg_marginal"]
    steps: Count = SOLVERS["proximal"].defaults["steps"]
    reg: Regs = DEFAULT_REGS
    targets: Targets | None = None
    marginals: Literal["uniform", "idf"] = "uniform"
    threshold: Annotated[Positive, Field(lt=1)] = 1e-5
    max_iterations: Count = 10_000
    on_unconverged: Literal["fail", "warn"] = "fail"
    anneal: Anneal | None = None

    @model_validator(mode="before")
    @classmethod
    def _regs_of_the_solver(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "reg" in given:
            if isinstance(given, dict) and given.get("targets") is not None:
                raise ValueError("reg: either reg or targets expected, found both; remove one of them")
            return given
        solver = SOLVERS.get(str(given.get("solver", "sinkhorn")))
        if solver is None:
            return given  # refused later, like wrong settings of the solver
        defaults = solver.defaults
        valid = {name: given[name] for name in defaults if type(given.get(name)) is int and given[name] > 0}
        return {**given, "reg": [reg for reg in DEFAULT_REGS if not solver.fault_of(reg, {**defaults, **valid})]}

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        faults = [f"reg: {fault}" for reg in self.reg if (fault := self.fault_of(reg))]
        if self.anneal and (fault := self.fault_of(self.anneal.start)):
            faults.append(f"anneal.from: {fault}")
        if self.anneal and self.targets:
            faults.append("anneal: needs reg, as the reg of targets is not known before; remove one of the two")
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def _solver(self) -> Solver:
        return SOLVERS[self.solver]

    @property
    def _solver_settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._solver.defaults}

    @property
    def smallest_reg(self) -> float:
        """Smallest reg above 0 that the solver accepts."""
        return self._solver.smallest_reg(self._solver_settings)

    @property
    def grid(self) -> tuple[str, tuple[float, ...]]:
        """The objective whose strength is compared, and the values of its strength in ascending order."""
        return (TARGETS, tuple(sorted(self.targets))) if self.targets else (TRANSPORT, tuple(sorted(self.reg)))

    def fault_of(self, reg: float) -> str | None:
        """Return why the solver refuses a reg; None if it accepts it."""
        return self._solver.fault_of(reg, self._solver_settings)

    def anneals(self, reg: float) -> bool:
        """Return whether a cell with this reg starts its training at a larger one."""
        return self.anneal is not None and reg < self.anneal.start

    def solve_arguments(self, reg: float) -> dict[str, Any]:
        """Return the arguments of `transport.solve` besides problem and reg; none at reg 0 and inf."""
        if not iterates(reg):
            return {}
        return {name: getattr(self, name) for name in ("solver", "threshold", "max_iterations", *self._solver_settings)}

    @property
    def in_words(self) -> str:
        """Description for reports: `sinkhorn, uniform marginals`."""
        words = f"{self._solver.in_words(self._solver_settings)}, {self.marginals} marginals"
        if self.anneal is None:
            return words
        return f"{words}, reg falling from {format_reg(self.anneal.start)} over {self.anneal.share:.0%} of the steps"

    def key_material_of_targets(self, targets: float) -> dict[str, Any]:
        """Return the settings that can change the reg that is found for effective targets, and its student."""
        iterated = {**self.solve_arguments(SMALLEST_REG), "on_unconverged": self.on_unconverged}
        return {"targets": targets, "marginals": self.marginals, **iterated}

    def key_material_of(self, reg: float) -> dict[str, Any]:
        """Return the settings that can change the student of a reg, as JSON values for its key."""
        material: dict[str, Any] = {"reg": reg, "marginals": self.marginals}
        first = reg
        if self.anneal is not None and self.anneals(reg):
            material["anneal"] = {"from": self.anneal.start, "share": self.anneal.share}
            first = self.anneal.start
        if iterates(first):
            material |= {**self.solve_arguments(first), "on_unconverged": self.on_unconverged}
        return material
