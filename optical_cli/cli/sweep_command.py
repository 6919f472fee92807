"""`optical sweep`: run every cell of an experiment, with progress on the terminal and in a file of events."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

from typer import Exit, Option

from optical_cli.cli.options import Experiment, Opening, command_line, set_options, takes
from optical_cli.cli.records import print_json, result_record, standing_record, sweep_record
from optical_cli.cli.report_command import print_results, result_line
from optical_cli.cli.terminal import TerminalProgress, bar_columns, duration, plain, time_left
from optical_cli.config.objectives import objective_of
from optical_cli.errors import ConfigError, several
from optical_cli.processes import Processes
from optical_cli.progress import Advance, Progress, counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from optical_cli.artifacts.result import Result
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline.cells import Cell
    from optical_cli.sweep.sweep import Standing

BAR_WIDTH = 20
REFRESHES_A_SECOND = 2  # few, to leave the cores to the training
SECONDS_BETWEEN_EVENTS = 2.0


@takes(
    *("overrides", "cache_dir", "device", "engine", "ray_address", "time_limit", "print_commands", "events"),
    *("offline", "locked", "as_json"),
)
def sweep(
    experiment: Experiment,
    opening: Opening,
    print_commands: Annotated[
        bool, Option("--print-commands", help="Print a shell command for each cell, and run none.")
    ] = False,
    events: Annotated[
        str | None, Option(metavar="FILE", help="Append progress events to a file, as JSON lines; - for stdout.")
    ] = None,
) -> None:
    """Run every pair, reg, seed and baseline of an experiment.

    Artifacts in the cache are not made again. A cell that fails does not stop the others, and its reason is
    printed once, however many cells it stops. The exit code is then 1.
    """
    from optical_cli.sweep.sweep import run_sweep

    if events == "-" and (opening.as_json or print_commands):
        other = "--json" if opening.as_json else "--print-commands"
        raise ConfigError(f"--events -: {other} also writes to stdout; name a file, or leave out {other}")
    audience = _Audience(events or "")
    say = audience.terminal.say
    with opening.remote(say) as remote:
        pipeline = opening.pipeline(experiment, progress=audience, remote=remote)
        if print_commands:
            for cell in pipeline.cells:
                print(_shell_command(experiment, cell, opening))
            return
        with audience.following(pipeline.experiment):
            results, made = run_sweep(pipeline, audience.cell, audience.stand, audience.say)
            audience.end(results, made)
    if opening.as_json:
        print_json(sweep_record(pipeline.experiment.name, made, results))
    elif events != "-":
        print_results(results, pipeline.experiment.evaluation.measures)
    failed = sum(result.failure is not None for result in results)
    say(_outcome(made, failed, len(results)))
    if not opening.as_json and failed < len(results):
        say(f"next: {command_line('report', experiment, *_shared_options(opening, but_variables=True))}")
    if failed:
        raise Exit(1)


def _outcome(made: int, failed: int, cells: int) -> str:
    if not made and not failed:
        return "every artifact was in the cache; nothing was computed"
    return f"{several(made, 'artifact')} made" + (f"; {failed} of {several(cells, 'cell')} failed" if failed else "")


def _shell_command(experiment: str, cell: "Cell", opening: Opening) -> str:
    """Return the command that makes a cell and all it needs, for make -j, a Slurm array or xargs -P."""
    strength = objective_of(cell.objective).strength
    setting = ["--objective", cell.objective] if cell.reg is None else [f"--{strength}", repr(cell.reg)]
    words = ["--pair", cell.pair, *setting, "--seed", str(cell.seed), *_shared_options(opening)]
    device = ["--device", opening.device] if opening.device != "auto" else []
    return command_line("evaluate", experiment, *words, *device, *["--offline"] * opening.offline)


def _shared_options(opening: Opening, *, but_variables: bool = False) -> list[str]:
    """Return the options that name the settings and the cache of a sweep, for another command.

    `but_variables` leaves out a cache that OPTICAL_CACHE names, for a command in this shell.
    """
    folder = [] if opening.cache_dir is None else ["--cache-dir", str(opening.cache_dir)]
    if but_variables and os.environ.get("OPTICAL_CACHE") == str(opening.cache_dir):
        folder = []
    return [*set_options(opening.overrides), *folder]


class _Audience:
    """A `Progress` that also follows the cells of a sweep; what its `terminal` prints is not written as an event."""

    def __init__(self, events: str) -> None:
        from rich.console import Console

        can_redraw = sys.stderr.isatty() and Processes().first and not Console(stderr=True).is_dumb_terminal
        self._live = _LiveSweep() if can_redraw else None
        self.terminal: Progress = self._live or TerminalProgress()
        self._events = _EventFile(events if Processes().first else "", self.terminal.say)
        self._begun = False
        self._failures: dict[str, str] = {}  # the first cell that failed for a reason

    @contextmanager
    def following(self, experiment: "ExperimentSettings") -> Iterator[None]:
        """Follow the sweep of an experiment until the context ends."""
        self._experiment = experiment
        try:
            with self._live.shown if self._live else nullcontext():
                yield
        finally:
            self._events.close()

    def cell(self, result: "Result") -> None:
        self.terminal.say(result_line(self._said_once(result), self._experiment.evaluation.measures))
        self._events.write("cell", **result_record(result))

    def _said_once(self, result: "Result") -> "Result":
        """Replace the reason of a failure that was printed before by the name of the cell that it was printed for."""
        if result.failure is None:
            return result
        cell = f"{result.pair}  {result.setting.label}  seed {result.seed}"
        first = self._failures.setdefault(result.failure, cell)
        return result if first == cell else replace(result, failure=f"for the same reason as {first}")

    def stand(self, standing: "Standing") -> None:
        self._begin()
        if self._live:
            self._live.stand(standing)
        self._events.write("standing", **standing_record(standing))

    def end(self, results: "Sequence[Result]", made: int) -> None:
        """Write the record that `--json` prints as the last event."""
        self._events.write("end", **sweep_record(self._experiment.name, made, results))

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Show a task, and write an event at its start and every two seconds."""
        write = partial(self._events.write, "task", task=description, total=total, unit=unit)
        write(done=0)
        with self.terminal.task(description, total, unit) as advance:
            yield counted(advance, SECONDS_BETWEEN_EVENTS, lambda done, _seconds: write(done=done))

    def say(self, message: str) -> None:
        self._begin()
        self._events.write("said", message=message)
        self.terminal.say(message)

    def _begin(self) -> None:
        """Write the first event; not before the input was read, so that bad input leaves no file of events."""
        if not self._begun:
            self._events.write("begin", experiment=self._experiment.name, process=os.getpid())
            self._begun = True


class _EventFile:
    """A file of events, one JSON object per line; `-` is stdout, and "" writes none.

    The first event opens the file. A file that cannot be written any more does not stop the sweep.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name, self._say, self._wanted = name, say, bool(name)
        self._file: TextIO | None = sys.stdout if name == "-" else None

    def write(self, event: str, **fields: Any) -> None:
        if not self._wanted:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            self._file = self._file or Path(self._name).open("a", encoding="utf-8")  # noqa: SIM115 - until `close`
        except OSError as error:
            raise ConfigError(f"--events {self._name}: cannot be written: {error.strerror or error}") from error
        try:
            print_json({"event": event, "time": now, **fields}, self._file)
        except OSError as error:
            self._wanted = False
            if self._name == "-":  # the reader is gone: a flush of the buffer at exit must not raise
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            why = error.strerror or error
            self._say(f"--events {self._name}: cannot be written any more ({why}); the sweep continues without events")

    def close(self) -> None:
        """Close the file, unless it is stdout."""
        if self._file not in (None, sys.stdout):
            with suppress(OSError):  # the disk is full, as `write` has reported
                self._file.close()


class _LiveSweep:
    """A `Progress` in the last lines of a terminal: the state of the sweep, its running cell and a bar."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import Progress

        self._console = Console(stderr=True)
        self._tasks = Progress(*bar_columns(), console=self._console, auto_refresh=False)
        self._standing: Standing | None = None
        self._started = self._stood = time.monotonic()
        self.shown = Live(  # a context manager
            console=self._console,
            get_renderable=self._drawn,
            transient=True,
            refresh_per_second=REFRESHES_A_SECOND,
            redirect_stdout=False,  # stdout carries the result
        )

    def stand(self, standing: "Standing") -> None:
        self._standing, self._stood = standing, time.monotonic()

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        task = self._tasks.add_task(plain(description), total=total, unit=unit)
        try:
            yield lambda done: self._tasks.advance(task, done)
        finally:
            self._tasks.remove_task(task)

    def say(self, message: str) -> None:
        self._console.print(plain(message), markup=False, highlight=False, soft_wrap=True)

    def _drawn(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        if self._standing is None:
            return self._tasks
        now = time.monotonic()
        lines = standing_lines(self._standing, now - self._started, now - self._stood)
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in lines), self._tasks)


def standing_lines(standing: "Standing", so_far: float, since: float) -> list[str]:
    """Describe the state of a sweep and its running cell.

    Args:
        standing: the state.
        so_far: seconds since the sweep began.
        since: seconds since the state was taken.
    """
    from optical_cli.artifacts.result import Setting

    filled = round(BAR_WIDTH * (standing.done + standing.failed) / standing.cells)
    left = replace(standing.left, seconds=max(standing.left.seconds - since, 0.0))
    parts = [
        f"{'━' * filled}{'╌' * (BAR_WIDTH - filled)} {standing.done} of {several(standing.cells, 'cell')} done",
        f"{standing.failed} failed" if standing.failed else "",
        duration(so_far),
        time_left(left) if standing.running else "",
    ]
    lines = [" · ".join(filter(None, parts))]
    if cell := standing.running:
        lines.append(plain(f"now {cell.pair}  {Setting(cell.objective, cell.reg).label}  seed {cell.seed}"))
    return lines
