"""The table of transport solvers: names, settings, ranges and functions, without torch or numba.

To add a solver, write its function in a new file of this package and add a row to `SOLVERS`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from optical_cli.errors import ConfigError

SMALLEST_REG = 0.001  # below, entropic plans are exact ones for every purpose, and no solver converges in time
REG_EXPECTED = f"0 (exact), a number from {SMALLEST_REG} up, or inf (product of the marginals)"


def format_reg(reg: float) -> str:
    """Write a reg so that it can be typed back: `0`, `0.02`, `0.0021544346900318843`, `inf`."""
    short = f"{reg:g}"
    return short if float(short) == reg else repr(reg)


def iterates(reg: float) -> bool:
    """Whether a solver iterates at this reg: true except for 0 (exact plan) and inf (product of the marginals)."""
    return reg != 0 and not math.isinf(reg)


@dataclass(frozen=True)
class Solver:
    """A way to regularize transport.

    Attributes:
        minimises: the objective that the plan minimises.
        function: `module:name` in this package; empty if the solver takes reg 0 only. It is called for 0 < reg < inf as
            `name(problem, reg, threshold, max_iterations, start, **settings)` and returns a `Solution`.
        takes_0: whether the solver takes reg 0, the exact plan.
        defaults: the settings that only this solver has, with their defaults. All are above 0; a setting with a whole
            default is a whole number. A setting named `reg_marginal` means that the marginals are relaxed.
        settings_in_words: template of these settings, for reports.
        divides_reg: the setting that reg is divided by; the quotient must be at least `SMALLEST_REG`.
        remedy: what to change in the experiment file when plans do not converge.
        remedy_without_mass: what to change when a plan has no mass or is not finite; None for `remedy`.
    """

    name: str
    minimises: str
    function: str = ""
    takes_0: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    settings_in_words: str = ""
    divides_reg: str | None = None
    remedy: str = "choose a larger reg or 0"
    remedy_without_mass: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import the solver's function."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return function

    def smallest_reg(self, settings: Mapping[str, Any]) -> float:
        """Return the smallest reg above 0 that the solver takes with these settings."""
        if self.divides_reg is None:
            return SMALLEST_REG
        divisor = settings[self.divides_reg]
        smallest: float = SMALLEST_REG * divisor
        return smallest if smallest / divisor >= SMALLEST_REG else math.nextafter(smallest, math.inf)

    def fault_of(self, reg: float, settings: Mapping[str, Any]) -> str | None:
        """Explain why the solver does not take a reg with these settings; None if it does."""
        if not (reg == 0 or reg >= SMALLEST_REG):
            return f"{REG_EXPECTED} expected, found {format_reg(reg)}"
        if reg != 0 and not self.function:
            found = f"0 alone expected with the solver {self.name}, found {format_reg(reg)}"
            return f"{found}; take another solver for other regs"
        if reg == 0 and not self.takes_0:
            return f"at least {SMALLEST_REG} expected with the solver {self.name}, found 0"
        smallest = self.smallest_reg(settings)
        if 0 < reg < smallest:
            divisor = f"{self.divides_reg} is {settings[str(self.divides_reg)]}"
            return (
                f"at least {format_reg(smallest)} expected with the solver {self.name} (reg / {self.divides_reg} is "
                f"at least {SMALLEST_REG}, {divisor}), found {format_reg(reg)}; raise it or lower {self.divides_reg}"
            )
        return None

    def in_words(self, settings: Mapping[str, Any]) -> str:
        """Describe the solver and its settings, for reports: `proximal (10 steps)`."""
        return f"{self.name} ({self.settings_in_words.format(**settings)})" if self.defaults else self.name

    def completed(self, given: Mapping[str, float]) -> dict[str, Any]:
        """Check the given settings, and add the defaults of the others.

        Raises:
            ConfigError: the solver has no such setting, or a value is out of range.
        """
        for name, value in given.items():
            if name not in self.defaults:
                raise ConfigError(f"{name}: the solver {self.name} has no such setting")
            whole = isinstance(self.defaults[name], int)
            if not (value >= 1 if whole else value > 0):
                raise ConfigError(f"{name}: a number {'from 1 up' if whole else 'above 0'} expected, found {value}")
        return {**self.defaults, **given}


SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        Solver(
            name="sinkhorn",
            minimises="<P, C> + reg sum P (log P - 1): plans are smooth",
            function="sinkhorn:sinkhorn",
        ),
        Solver(name="exact", minimises="<P, C>: the plan of least cost"),
        Solver(
            name="proximal",
            minimises="<P, C> + (reg / steps) sum P (log P - 1), by as many proximal steps of size reg",
            function="sinkhorn:proximal",
            defaults={"steps": 10},
            settings_in_words="{steps} steps",
            divides_reg="steps",
            remedy="choose a larger reg, fewer transport.steps, or reg 0",
        ),
        Solver(
            name="unbalanced",
            minimises="<P, C> + reg KL(P, ab') + reg_marginal (KL(P1, a) + KL(P'1, b)): marginals may differ",
            function="sinkhorn:unbalanced",
            takes_0=False,
            defaults={"reg_marginal": 1.0},
            settings_in_words="reg_marginal {reg_marginal:g}",
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
