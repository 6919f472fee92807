"""`optical sweep`: every cell of an experiment, followed on the terminal and in a file of events for programs."""

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
from optical_cli.errors import ConfigError
from optical_cli.processes import Processes
from optical_cli.progress import Advance, Progress, counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from optical_cli.artifacts.result import Result
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline.cells import Cell
    from optical_cli.sweep.sweep import Standing

BAR_WIDTH = 20
REFRESHES_A_SECOND = 2  # a training has the cores to itself
SECONDS_BETWEEN_EVENTS = 2.0


@takes(
    *("overrides", "cache_dir", "device", "engine", "ray_address", "time_limit", "print_commands", "events"),
    *("offline", "locked", "as_json"),
)
def sweep(
    experiment: Experiment,
    opening: Opening,
    print_commands: Annotated[bool, Option("--print-commands", help="Print a shell command a cell; run none.")] = False,
    events: Annotated[str | None, Option(metavar="FILE", help="Append events as lines of JSON; - for stdout.")] = None,
) -> None:
    """Run every reg, pair, seed and baseline; what the cache holds is not made again.

    A cell that fails does not stop the others: they are listed at the end, and the exit code is 1.
    """
    from optical_cli.sweep.sweep import run_sweep

    if events == "-" and (opening.as_json or print_commands):
        other = "--json" if opening.as_json else "--print-commands"
        raise ConfigError(f"--events -: {other} has stdout for itself; name a file, or leave out {other}")
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
    say("every artifact was in the cache; nothing was computed" if made == 0 else f"{made} artifacts made")
    failed = [result for result in results if result.failure is not None]
    for result in failed:
        say(result_line(result, []))
    if failed:
        raise Exit(1)


def _shell_command(experiment: str, cell: "Cell", opening: Opening) -> str:
    """Spell out the command of a cell, for make -j, Slurm arrays or xargs -P; it makes what is missing upstream."""
    setting = ["--objective", cell.objective] if cell.reg is None else ["--reg", repr(cell.reg)]
    shared = set_options(opening.overrides)
    if opening.cache_dir is not None:
        shared += ["--cache-dir", str(opening.cache_dir)]
    if opening.device != "auto":
        shared += ["--device", opening.device]
    if opening.offline:
        shared.append("--offline")
    return command_line("evaluate", experiment, "--pair", cell.pair, *setting, "--seed", str(cell.seed), *shared)


class _Audience:
    """A `Progress` that also follows the cells of a sweep; messages to its `terminal` are no events."""

    def __init__(self, events: str) -> None:
        from rich.console import Console

        can_redraw = sys.stderr.isatty() and Processes().first and not Console(stderr=True).is_dumb_terminal
        self._live = _LiveSweep() if can_redraw else None
        self.terminal: Progress = self._live or TerminalProgress()
        self._events = _EventFile(events if Processes().first else "", self.terminal.say)
        self._begun = False

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
        self.terminal.say(result_line(result, self._experiment.evaluation.measures))
        self._events.write("cell", **result_record(result))

    def stand(self, standing: "Standing") -> None:
        self._begin()
        if self._live:
            self._live.stand(standing)
        self._events.write("standing", **standing_record(standing))

    def end(self, results: "Sequence[Result]", made: int) -> None:
        """Write an event with what `--json` prints."""
        self._events.write("end", **sweep_record(self._experiment.name, made, results))

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Show a task, with an event at its start and every other second."""
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
    """A file of events, a JSON object a line; a reader that goes away does not stop the sweep.

    It is opened with the first event, so that bad input leaves none. `-` is stdout, and "" keeps no events.
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
            if self._name == "-":  # nobody reads it: what is left in its buffer must not raise when Python exits
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            why = error.strerror or error
            self._say(f"--events {self._name}: cannot be written any more: {why}; going on without")

    def close(self) -> None:
        """Close the file, unless it is stdout."""
        if self._file not in (None, sys.stdout):
            with suppress(OSError):  # of a disk that is full, which has been said
                self._file.close()


class _LiveSweep:
    """A `Progress` at the foot of a terminal: how the sweep stands, its running cell, and the bar of the task."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.progress import Progress

        self._console = Console(stderr=True)
        self._tasks = Progress(*bar_columns(), console=self._console, auto_refresh=False)
        self._standing: Standing | None = None
        self._started = self._stood = time.monotonic()
        self.shown = Live(  # from when it is entered until it is left
            console=self._console, get_renderable=self._drawn, transient=True,
            refresh_per_second=REFRESHES_A_SECOND, redirect_stdout=False,  # which carries the result, whoever reads it
        )  # fmt: skip

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
    """Describe a sweep that has taken `so_far` seconds and stood so `since` seconds ago, and its running cell."""
    from optical_cli.artifacts.result import Setting

    filled = round(BAR_WIDTH * (standing.done + standing.failed) / standing.cells)
    left = replace(standing.left, seconds=max(standing.left.seconds - since, 0.0))
    parts = [
        f"{'━' * filled}{'╌' * (BAR_WIDTH - filled)} {standing.done} of {standing.cells} cells done",
        f"{standing.failed} failed" if standing.failed else "",
        duration(so_far),
        time_left(left) if standing.running else "",
    ]
    lines = [" · ".join(filter(None, parts))]
    if cell := standing.running:
        lines.append(plain(f"now {cell.pair}  {Setting(cell.objective, cell.reg).label}  seed {cell.seed}"))
    return lines
