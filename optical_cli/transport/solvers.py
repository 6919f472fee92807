"""The solvers of a transport problem: all that `solve`, an experiment file and its messages ask of them.

A new solver is a function in a file of its own and a row of `SOLVERS`. This module loads neither torch nor numba.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from optical_cli.errors import ConfigError

SMALLEST_REG = 0.001  # below it entropic transport is the exact one for every purpose, and no solver converges in time
REG_EXPECTED = f"0 (exact), a number from {SMALLEST_REG} up, or inf (product of the marginals)"


def format_reg(reg: float) -> str:
    """Write a reg so that it can be typed back: `0`, `0.02`, `0.0021544346900318843`, `inf`."""
    short = f"{reg:g}"
    return short if float(short) == reg else repr(reg)


def iterates(reg: float) -> bool:
    """Whether a solver iterates at this reg. The exact plan (0) and the product of the marginals (inf) need none."""
    return reg != 0 and not math.isinf(reg)


@dataclass(frozen=True)
class Solver:
    """One way to regularize transport.

    `function` is `module:name` in this package, called as `name(problem, reg, threshold, max_iterations, start, **own)`
    at a reg between 0 and inf; it returns a `Solution`. It is empty if the solver takes 0 alone.

    `own` has the defaults of the settings that it alone has, all above 0; whole numbers have a whole default. With a
    `reg_marginal` among them, the marginals are relaxed.
    """

    name: str
    minimises: str
    function: str = ""
    takes_0: bool = True  # reg 0, the exact plan, is one of its own
    own: Mapping[str, Any] = field(default_factory=dict)
    own_in_words: str = ""  # template for reports
    divides_reg: str | None = None  # the own setting that reg is divided by: the quotient is at least `SMALLEST_REG`
    remedy: str = "choose a larger reg or 0"  # in the experiment file, when plans do not converge
    remedy_without_mass: str | None = None  # when a plan has no mass or is not finite, if not `remedy`

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return function

    def smallest_reg(self, own: Mapping[str, Any]) -> float:
        """The smallest reg above 0 that the solver takes with these own settings."""
        if self.divides_reg is None:
            return SMALLEST_REG
        divisor = own[self.divides_reg]
        smallest: float = SMALLEST_REG * divisor
        return smallest if smallest / divisor >= SMALLEST_REG else math.nextafter(smallest, math.inf)

    def fault_of(self, reg: float, own: Mapping[str, Any]) -> str | None:
        """Why the solver does not take a reg with these own settings; None if it does."""
        if not (reg == 0 or reg >= SMALLEST_REG):
            return f"{REG_EXPECTED} expected, found {format_reg(reg)}"
        if reg != 0 and not self.function:
            found = f"0 alone expected with the solver {self.name}, found {format_reg(reg)}"
            return f"{found}; take another solver for other regs"
        if reg == 0 and not self.takes_0:
            return f"at least {SMALLEST_REG} expected with the solver {self.name}, found 0"
        smallest = self.smallest_reg(own)
        if 0 < reg < smallest:
            divisor = f"{self.divides_reg} is {own[str(self.divides_reg)]}"
            return (
                f"at least {format_reg(smallest)} expected with the solver {self.name} (reg / {self.divides_reg} is "
                f"at least {SMALLEST_REG}, {divisor}), found {format_reg(reg)}; raise it or lower {self.divides_reg}"
            )
        return None

    def in_words(self, own: Mapping[str, Any]) -> str:
        """The solver and its own settings, for reports: `proximal (10 steps)`."""
        return f"{self.name} ({self.own_in_words.format(**own)})" if self.own else self.name

    def completed(self, given: Mapping[str, float]) -> dict[str, Any]:
        """The own settings: those given, and the defaults of the others.

        Raises:
            ConfigError: one is not a setting of this solver, or out of its range.
        """
        for name, value in given.items():
            if name not in self.own:
                raise ConfigError(f"{name}: the solver {self.name} has no such setting")
            whole = isinstance(self.own[name], int)
            if not (value >= 1 if whole else value > 0):
                raise ConfigError(f"{name}: a number {'from 1 up' if whole else 'above 0'} expected, found {value}")
        return {**self.own, **given}


SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        Solver(
            name="sinkhorn",
            minimises="<P, C> + reg sum P (log P - 1): the entropy makes plans smooth",
            function="sinkhorn:sinkhorn",
        ),
        Solver(name="exact", minimises="<P, C>: the plan of least cost"),
        Solver(
            name="proximal",
            minimises="as sinkhorn with reg / steps, reached by that many proximal steps of size reg",
            function="sinkhorn:proximal",
            own={"steps": 10},
            own_in_words="{steps} steps",
            divides_reg="steps",
            remedy="choose a larger reg, fewer transport.steps, or reg 0",
        ),
        Solver(
            name="unbalanced",
            minimises="<P, C> + reg KL(P, ab') + reg_marginal (KL(P1, a) + KL(P'1, b)): marginals may be missed",
            function="sinkhorn:unbalanced",
            takes_0=False,
            own={"reg_marginal": 1.0},
            own_in_words="reg_marginal {reg_marginal:g}",
            remedy="choose a larger reg or a smaller transport.reg_marginal",
            remedy_without_mass="raise transport.reg_marginal",
        ),
        Solver(
            name="quadratic",
            minimises="<P, C> + reg / 2 sum P^2 / (ab'): plans are sparse",
            function="quadratic:quadratic",
        ),
    )
}
SOLVER_EXPECTED = f"one of {', '.join(SOLVERS)}"
