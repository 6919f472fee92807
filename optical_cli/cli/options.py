"""The options that several commands share, how a command takes them, and what they name and open."""

import inspect
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from functools import wraps
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from typer import Argument, Option

from optical_cli.cli.records import Record, print_json
from optical_cli.cli.terminal import TerminalProgress, duration
from optical_cli.config.objectives import BM25, OBJECTIVES, TARGETS, TRANSPORT, UNTRAINED, baseline_names, objective_of
from optical_cli.errors import CacheError, ConfigError
from optical_cli.processes import Processes
from optical_cli.transport.solvers import format_reg

if TYPE_CHECKING:
    from optical_cli.cache.artifact import Artifact
    from optical_cli.cache.store import Cache
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.cells import Cell
    from optical_cli.pipeline.context import Remote
    from optical_cli.pipeline.step import Step
    from optical_cli.progress import Progress

T = TypeVar("T")

OBJECTIVE_HELP = f"A baseline instead of {TRANSPORT}: {', '.join(baseline_names())}, or {BM25}-ANALYZER."
RAY_ADDRESS_HELP = (
    "Head of a Ray cluster that you trust. Default: RAY_ADDRESS, or else a cluster on this machine that ends with the "
    "command."
)
TIME_LIMIT_HELP = "Save and stop a training after 90s, 45m or 2h (exit code 75). Run the command again to resume it."
OFFLINE_VARIABLES = ["OPTICAL_OFFLINE", "HF_HUB_OFFLINE"]
OFFLINE_HELP = "Download nothing. Fail before any work if an input is not on this machine."

Experiment = Annotated[
    str, Argument(metavar="EXPERIMENT", help="Experiment file (YAML), or `tiny`, the experiment in the package.")
]
Pair = Annotated[str | None, Option("--pair", help="Language pair of the experiment, such as yo-en.")]
Seed = Annotated[int | None, Option("--seed", help="Training seed. Default: the first of the experiment.")]
Debug = Annotated[bool, Option("--debug", help="Show the traceback of an error.")]
DEBUG = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)


def takes(*order: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn a function into a command; a parameter annotated with a dataclass becomes one option per field.

    A command takes all fields of a dataclass, in the place of its parameter. If `order` names some of the fields, the
    command takes those alone. `order` lists the options that end the help, in that order: fields, and parameters of the
    function. Every command also takes `--debug`, which `edge.py` reads.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function).parameters
        groups: dict[str, Any] = {name: one.annotation for name, one in own.items() if is_dataclass(one.annotation)}
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


@dataclass(frozen=True)
class Wanted:
    """The options that name a cell of an experiment."""

    reg: Annotated[
        float | None, Option(help="Regularization strength, 0 to inf. Default: the only reg of the experiment.")
    ] = None
    objective: Annotated[str | None, Option(help=OBJECTIVE_HELP)] = None
    pair: Pair = None
    seed: Seed = None
    targets: Annotated[
        float | None, Option(help="Effective targets in place of --reg. Default: the only ones of the experiment.")
    ] = None

    def cell(self, experiment: "ExperimentSettings", sides: tuple[str, ...] = ("query", "document")) -> "Cell":
        """Find the cell that the options name; no reg is needed if the teacher encodes all of `sides`.

        Raises:
            ConfigError: an option is missing, or its value is not in the experiment.
        """
        from optical_cli.config.baselines import bm25_objective
        from optical_cli.config.experiment import languages_of
        from optical_cli.pipeline.cells import Cell

        pair = self.named_pair(experiment)
        self._check_values()
        objective, strength = self._named(experiment)
        row = objective_of(objective)
        if not row.has_student:
            if objective == BM25:
                names = map(bm25_objective, experiment.bm25.analyzers)
                objective = _only(names, "--objective bm25: the experiment has several analyzers")
            return Cell(pair, objective, None, experiment.seeds[0])
        seed = experiment.seeds[0] if self.seed is None else self.seed
        encoded = dict(zip(("query", "document"), languages_of(pair), strict=True))
        if all(encoded[side] == experiment.teacher.language for side in sides):
            return Cell(pair, UNTRAINED, None, seed)
        if not row.has_reg:
            return Cell(pair, objective, None, seed)
        if strength is None:
            several = f"--{row.strength}: the experiment has several values"
            strength = _only(experiment.transport.grid[1], several, "; or name an --objective", format_reg)
        return Cell(pair, objective, abs(strength), seed)  # -0.0 is 0

    def _named(self, experiment: "ExperimentSettings") -> tuple[str, float | None]:
        """Return the objective, and the reg or effective targets that an option names; None if none does."""
        if self.targets is not None:
            return TARGETS, self.targets
        if self.reg is not None:
            return self.objective or TRANSPORT, self.reg
        return self.objective or experiment.transport.grid[0], None

    def warn_outside_grid(self, experiment: "ExperimentSettings") -> None:
        """Warn of a reg or of targets that are not among those of the experiment, so that its reports leave it out."""
        objective, strength = self._named(experiment)
        of_grid, values = experiment.transport.grid
        row = OBJECTIVES.get(objective)
        if strength is None or row is None or not row.has_reg or (objective == of_grid and abs(strength) in values):
            return
        grid, value = ", ".join(map(format_reg, values)), format_reg(strength)
        name, known = row.strength, f"transport.{OBJECTIVES[of_grid].strength}"
        shown = (
            f"with --set {known}='[{grid}, {value}]'" if objective == of_grid else f"by `transport: {{{name}: [...]}}`"
        )
        TerminalProgress().say(
            f"warning: --{name} {value} is not among {known} ({grid}): `optical report` shows it only {shown}"
        )

    def named_pair(self, experiment: "ExperimentSettings") -> str:
        """Return the name of the pair, by default the only one of the experiment."""
        pair = self.pair or _only(experiment.pairs, "--pair: the experiment has several pairs")
        if pair not in experiment.pairs:
            raise ConfigError(f"--pair {pair}: not in the experiment; it has {', '.join(experiment.pairs)}")
        return pair

    def _check_values(self) -> None:
        """Raise ConfigError for a value that no cell can have, even if this cell does not depend on it."""
        from optical_cli.config.baselines import ANALYZERS, bm25_objective
        from optical_cli.config.settings import SEEDS, checked_reg

        if self.objective not in (None, *OBJECTIVES, *map(bm25_objective, ANALYZERS)):
            raise ConfigError(
                f"--objective {self.objective}: one of {', '.join(OBJECTIVES)} or {BM25}-ANALYZER expected"
            )
        try:
            checked_reg(self.reg or 0.0)
        except ValueError as error:
            raise ConfigError(f"--reg {format_reg(self.reg or 0.0)}: {error} expected") from error
        if self.reg is not None and not objective_of(self.objective or TRANSPORT).has_reg:
            reg = format_reg(self.reg)
            raise ConfigError(f"--reg {reg}: {self.objective} has no regularization; leave out --reg")
        if self.targets is not None:
            self._check_targets(self.targets)
        if self.seed is not None and not 0 <= self.seed < SEEDS:
            raise ConfigError(f"--seed {self.seed}: a whole number from 0 to {SEEDS - 1} expected")

    def _check_targets(self, targets: float) -> None:
        if not 1 < targets < inf:
            raise ConfigError(f"--targets {format_reg(targets)}: a number above 1 expected")
        if self.reg is not None or self.objective not in (None, TARGETS):
            other = "--reg" if self.reg is not None else f"--objective {self.objective}"
            raise ConfigError(f"--targets {format_reg(targets)}: {other} is given too; leave out one of them")


def _only(choices: Iterable[T], several: str, hint: str = "", show: Callable[[T], str] = str) -> T:
    first, *others = choices
    if others:
        raise ConfigError(f"{several}; give one of {', '.join(map(show, (first, *others)))}{hint}")
    return first


@dataclass(frozen=True)
class Opening:
    """The options for the experiment, the cache and the machine; a command may take only some of them."""

    overrides: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Override a setting, such as training.epochs=2. Repeatable."),
    ] = None
    cache_dir: Annotated[
        Path | None, Option(envvar="OPTICAL_CACHE", help="Folder of the cache.", show_default="user cache folder")
    ] = None
    device: Annotated[str, Option(help="Device to compute on: cpu, cuda, cuda:1 or auto.")] = "auto"
    engine: Annotated[str, Option(help="Run here (local) or on a Ray cluster (ray). Results are identical.")] = "local"
    ray_address: Annotated[str | None, Option(metavar="HOST:PORT", help=RAY_ADDRESS_HELP)] = None
    no_upstream: Annotated[bool, Option("--no-upstream", help="Fail if an earlier stage is not in the cache.")] = False
    time_limit: Annotated[str | None, Option(help=TIME_LIMIT_HELP)] = None
    offline: Annotated[bool, Option("--offline", envvar=OFFLINE_VARIABLES, help=OFFLINE_HELP)] = False
    locked: Annotated[bool, Option("--locked", help="Fail if versions or machine differ from the lock file.")] = False
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False

    def settings(self, experiment: str) -> "ExperimentSettings":
        """Read an experiment file, or `tiny`."""
        from optical_cli.session import load_experiment

        return load_experiment(experiment, self.overrides or ())

    def cache(self, progress: "Progress | None" = None) -> "Cache":
        """Open the cache; `progress`, by default the terminal, reports when it waits for another process."""
        from optical_cli.session import open_cache

        return open_cache(self.cache_dir, progress or TerminalProgress())

    def pipeline(
        self,
        experiment: str,
        *,
        progress: "Progress | None" = None,
        remote: "Remote | None" = None,
        fetch: bool = True,
        check_lock: bool = True,
    ) -> "Pipeline":
        """Read an experiment and open its inputs and the cache.

        Args:
            progress: the terminal by default.
            remote: does the work on a cluster.
            fetch: download missing inputs; otherwise a placeholder replaces each.
            check_lock: compare the inputs with the lock file, if there is one.

        Raises:
            OpticalError: the experiment or an input cannot be used, or differs from the lock file.
        """
        from optical_cli.pipeline import Pipeline

        deadline = None if self.time_limit is None else time.monotonic() + _seconds_of(self.time_limit)
        progress = progress or TerminalProgress()
        pipeline = Pipeline(
            self.settings(experiment),
            self.cache(progress),
            self.device,
            progress,
            upstream=not self.no_upstream,
            deadline=deadline,
            fetch=fetch,
            remote=remote,
            offline=command_line("fetch", experiment, *set_options(self.overrides)) if self.offline else None,
        )
        if check_lock:
            self._check_lock(pipeline, experiment, progress, fetch=fetch)
        return pipeline

    def _check_lock(self, pipeline: "Pipeline", experiment: str, progress: "Progress", *, fetch: bool) -> None:
        path, remedy = lock_file(experiment), command_line("lock", experiment)
        if path is not None and path.is_file():
            from optical_cli.reproduce.lock import keep_to_lock, lock_of, read_lock

            now = lock_of(pipeline, revisions=False, fetch=fetch)
            for line in keep_to_lock(path, read_lock(path), now, remedy, strict=self.locked):
                progress.say(line)
        elif self.locked:
            write = f"`{remedy}` writes one" if path else "it is part of the package, so leave out --locked"
            raise ConfigError(f"--locked: {experiment} has no lock file; {write}")

    def obtain_upstream(self, pipeline: "Pipeline", step: "Step") -> "Artifact":
        """Return the artifact of a step, made if it is missing; with `--no-upstream`, CacheError if it is missing."""
        if self.no_upstream and pipeline.cache.find(*step.address) is None:
            raise CacheError(f"{step.kind}/{step.label}: not in the cache; make it first, or leave out --no-upstream")
        artifact, made = pipeline.obtain(step)
        TerminalProgress().say(f"{step.kind}/{step.label}: {how_obtained(artifact, made=made)}")
        return artifact

    def answer(self, path: Path, record: Record) -> None:
        """Print the path that a command has written, or its record with `--json`."""
        if self.as_json:
            print_json(record)
        else:
            print(path)

    @contextmanager
    def remote(self, say: Callable[[str], None]) -> "Iterator[Remote | None]":
        """Open the Ray cluster of `--engine ray` for the duration of the context; None for `--engine local`.

        `say` prints what its nodes report.
        """
        if self.engine not in ("local", "ray"):
            search = "for the search engine, use --set retrieval.engine=approximate"
            raise ConfigError(f"--engine {self.engine}: local or ray expected; {search}")
        if self.engine == "local":
            if self.ray_address is not None:
                raise ConfigError(
                    f"--ray-address {self.ray_address}: needs --engine ray; add it, or leave out --ray-address"
                )
            yield None
            return
        if Processes().count > 1:
            raise ConfigError(
                "--engine ray: cannot run under torchrun, as Ray starts its own workers; start optical alone"
            )
        from optical_cli.cluster.ray_cluster import RayCluster
        from optical_cli.cluster.spread_cells import spread_over

        with RayCluster(self.ray_address, self.device, say) as workers:
            yield spread_over(workers)


def how_obtained(artifact: "Artifact", *, made: bool) -> str:
    """Return `made in 3 min` or `in the cache`."""
    return f"made in {duration(float(artifact.manifest['seconds']))}" if made else "in the cache"


def lock_file(experiment: str) -> Path | None:
    """Return the path of the lock file beside an experiment file; None for `tiny`, which is part of the package."""
    from optical_cli.data.paths import builtin_experiment, real_path

    return None if builtin_experiment(experiment) else real_path(Path(experiment)).with_suffix(".lock")


def example(words: str) -> str:
    """Write the last line of a command's help."""
    return f"Example: optical {words}"


def command_line(*words: str) -> str:
    """Quote an `optical` command for a POSIX shell."""
    return shlex.join(["optical", *words])


def set_options(overrides: Sequence[str] | None) -> list[str]:
    """Return the overrides as `--set` options of a command line."""
    return [word for override in overrides or () for word in ("--set", override)]


def _seconds_of(time_limit: str) -> float:
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    if not re.fullmatch(r"(?=.)(\d+h)?(\d+m)?(\d+s)?", time_limit):
        raise ConfigError(f"--time-limit {time_limit}: a duration such as 90s, 45m, 2h or 1h30m expected")
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", time_limit))
