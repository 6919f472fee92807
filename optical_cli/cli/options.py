"""How a command takes the options that it shares with others, and the options that name a cell of an experiment."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from optical_cli.config.objectives import BM25, OBJECTIVES, TRANSPORT, UNTRAINED, baseline_names, objective_of
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from optical_cli.config.baselines import Analyzer
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline.cells import Cell

Experiment = Annotated[str, Argument(metavar="EXPERIMENT", help="A YAML file, or `tiny`, the embedded pair.")]
Reg = Annotated[float | None, Option("--reg", help="Strength of the regularization, 0 to inf.")]
Objective = Annotated[
    str | None,
    Option(
        "--objective",
        help=f"A baseline in place of {TRANSPORT}: {', '.join(baseline_names())} ({BM25}-lower: by that analyzer).",
    ),
]
Pair = Annotated[str | None, Option("--pair", help="Language pair, such as yo-en.")]
Seed = Annotated[int | None, Option("--seed", help="Seed of the training; the experiment's first by default.")]
DEBUG = inspect.Parameter(
    "debug",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, Option("--debug", help="Show a traceback with an error.")],
)


def takes(*order: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function that takes groups of options: dataclasses, each field of which is an option.

    A group stands for all its fields, in its place in the signature; if `order` names some of them, for those alone.
    `--debug`, which `edge.py` reads, is added to every command.

    Args:
        order: the last options of the help: fields of a group, and own parameters that stand among them.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function).parameters
        groups = {name: one.annotation for name, one in own.items() if _is_group(one.annotation)}
        fields = {name: inspect.signature(group).parameters for name, group in groups.items()}
        options: dict[str, inspect.Parameter] = {}
        for name, parameter in own.items():
            of_group = fields.get(name, {name: parameter})
            taken = of_group.keys() & set(order) or of_group.keys()
            options |= {field: one for field, one in of_group.items() if field in taken}
        last = {name: options.pop(name) for name in order}

        @wraps(function)
        def command(**given: Any) -> None:
            del given["debug"]
            for name, group in groups.items():
                given[name] = group(**{field: given.pop(field) for field in fields[name] if field in given})
            function(**given)

        keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (options | last).values()]
        command.__signature__ = inspect.Signature([*keywords, DEBUG])  # type: ignore[attr-defined] # typer reads it
        return command

    return decorate


def _is_group(annotation: object) -> bool:
    return isinstance(annotation, type) and is_dataclass(annotation)


@dataclass(frozen=True)
class Wanted:
    """The options that name a cell of an experiment."""

    reg: Reg = None
    objective: Objective = None
    pair: Pair = None
    seed: Seed = None

    def cell(self, experiment: "ExperimentSettings", sides: tuple[str, ...] = ("query", "document")) -> "Cell":
        """Return the cell of an experiment; if the teacher encodes all the `sides` that matter, no reg is needed.

        Raises:
            ConfigError: an option is missing, or names nothing in the experiment.
        """
        from optical_cli.config.experiment import languages_of
        from optical_cli.pipeline.cells import Cell

        pair = self.named_pair(experiment)
        self._check_values()
        objective = self.objective or TRANSPORT
        if not objective_of(objective).has_student:
            self._refuse_reg()
            name = self._bm25_objective(experiment.bm25.analyzers) if objective == BM25 else objective
            return Cell(pair, name, None, experiment.seeds[0])
        seed = experiment.seeds[0] if self.seed is None else self.seed
        encoded = dict(zip(("query", "document"), languages_of(pair), strict=True))
        if all(encoded[side] == experiment.teacher.language for side in sides):
            return Cell(pair, UNTRAINED, None, seed)
        return Cell(pair, *self._objective_and_reg(experiment.transport.reg), seed)

    def named_pair(self, experiment: "ExperimentSettings") -> str:
        """Return the pair; by default the only one of the experiment."""
        pair = self.pair or (next(iter(experiment.pairs)) if len(experiment.pairs) == 1 else None)
        known = ", ".join(experiment.pairs)
        if pair is None:
            raise ConfigError(f"--pair: the experiment has several pairs, say which: {known}")
        if pair not in experiment.pairs:
            raise ConfigError(f"--pair {pair}: not in the experiment; it has {known}")
        return pair

    def _check_values(self) -> None:
        """Refuse what no cell could have, also where this one does not depend on it."""
        from optical_cli.config.baselines import ANALYZERS, bm25_objective
        from optical_cli.config.settings import SEEDS, checked_reg

        if self.objective not in (None, *OBJECTIVES, *map(bm25_objective, ANALYZERS)):
            raise ConfigError(f"--objective {self.objective}: {', '.join(OBJECTIVES)} expected, or {BM25}-ANALYZER")
        try:
            checked_reg(self.reg or 0.0)
        except ValueError as error:
            raise ConfigError(f"--reg {self.reg:g}: {error} expected") from error
        if self.seed is not None and not 0 <= self.seed < SEEDS:
            raise ConfigError(f"--seed {self.seed}: a whole number from 0 to {SEEDS - 1} expected")

    def _objective_and_reg(self, regs: tuple[float, ...]) -> tuple[str, float | None]:
        if self.objective not in (None, TRANSPORT):
            self._refuse_reg()
            return str(self.objective), None
        reg = regs[0] if self.reg is None and len(regs) == 1 else self.reg
        if reg is None:
            listed = ", ".join(f"{value:g}" for value in regs)
            raise ConfigError(f"--reg: the experiment has several values, say which: {listed}; or name an --objective")
        return TRANSPORT, abs(reg)  # -0.0 is 0

    def _refuse_reg(self) -> None:
        if self.reg is not None:
            raise ConfigError(f"--reg {self.reg:g}: the objective {self.objective} has no transport to regularize")

    def _bm25_objective(self, analyzers: "tuple[Analyzer, ...]") -> str:
        """Return the objective with its analyzer; by default the only one of the experiment."""
        from optical_cli.config.baselines import bm25_objective

        if len(analyzers) > 1:
            listed = ", ".join(map(bm25_objective, analyzers))
            raise ConfigError(f"--objective bm25: the experiment has several analyzers, say which: {listed}")
        return bm25_objective(analyzers[0])
