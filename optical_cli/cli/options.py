"""The arguments and options that commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.config.objectives import BM25, OBJECTIVES, TRANSPORT, UNTRAINED, baseline_names, objective_of
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from optical_cli.config.baselines import Analyzer
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline.cells import Cell

Experiment = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A YAML file, or `tiny`, the embedded pair.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Overrides a setting, such as training.epochs=2. Repeatable."),
]
CacheDir = Annotated[
    Path | None,
    typer.Option("--cache-dir", envvar="OPTICAL_CACHE", help="Where artifacts are.", show_default="user cache folder"),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1 or auto.")]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar=["OPTICAL_OFFLINE", "HF_HUB_OFFLINE"],
        help="Download nothing; if an input is not on this machine, say so before anything is computed.",
    ),
]
Locked = Annotated[
    bool,
    typer.Option(
        "--locked",
        help="Refuse, rather than tell, other versions and another machine than those of the experiment's lock.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")]
Reg = Annotated[float | None, typer.Option("--reg", help="Strength of the regularization, 0 to inf.")]
Objective = Annotated[
    str | None,
    typer.Option(
        "--objective",
        help=f"A baseline in place of {TRANSPORT}: {', '.join(baseline_names())} ({BM25}-lower: by that analyzer).",
    ),
]
Pair = Annotated[str | None, typer.Option("--pair", help="Language pair, such as yo-en.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the training; the experiment's first by default.")]
NoUpstream = Annotated[bool, typer.Option("--no-upstream", help="Refuse, rather than make, what is missing upstream.")]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        help="Save and stop a training after so long (90s, 45m, 2h); exit code 75, and the same command goes on.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Where it is computed: local, or ray, on the nodes of a cluster; the artifacts are the same. (What is "
        "searched, all or what is promising, is retrieval.engine of the experiment.)",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        help="The head of a Ray cluster that is there, else RAY_ADDRESS, else one of this machine for as long as it "
        "takes. Only a cluster that you trust.",
    ),
]


@dataclass(frozen=True)
class Wanted:
    """Which cell of an experiment a command was asked for, as far as it was said."""

    reg: float | None
    objective: str | None
    pair: str | None
    seed: int | None

    def cell(self, experiment: "ExperimentSettings", sides: tuple[str, ...] = ("query", "document")) -> "Cell":
        """The cell.

        Args:
            experiment: whose cell it is.
            sides: of the pair that what is wanted depends on; if the teacher encodes them, no reg has to be said.

        Raises:
            ConfigError: something has to be said and was not, or is not in the experiment.
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
        """The pair, which need not be said where there is one only.

        Raises:
            ConfigError: it has to be said and was not, or is not in the experiment.
        """
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
        """The objective with its analyzer, which need not be said if the experiment has one only."""
        from optical_cli.config.baselines import bm25_objective

        if len(analyzers) > 1:
            listed = ", ".join(map(bm25_objective, analyzers))
            raise ConfigError(f"--objective bm25: the experiment has several analyzers, say which: {listed}")
        return bm25_objective(analyzers[0])
