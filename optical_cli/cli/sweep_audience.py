"""Who follows a running sweep: the terminal, live or line by line, and a file of events for programs."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from optical_cli.cli.records import result_record, standing_record, sweep_record, to_json
from optical_cli.cli.report_command import result_line
from optical_cli.cli.terminal import TerminalProgress, bar_columns, duration, plain, time_left
from optical_cli.errors import ConfigError
from optical_cli.processes import Processes
from optical_cli.progress import Advance, Progress, counted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from optical_cli.artifacts.result import Result
    from optical_cli.sweep.sweep import Standing

BAR_WIDTH = 20
REFRESHES_A_SECOND = 2  # a training has the cores to itself
SECONDS_BETWEEN_EVENTS = 2.0


class SweepAudience:
    """A `Progress` that also follows the cells of a sweep.

    Args:
        events: the file of events, `-` for stdout, None for none.

    Attributes:
        terminal: what people read; messages to it are no events.
    """

    def __init__(self, events: str | None) -> None:
        self._live = LiveSweep() if can_be_live() else None
        self.terminal: Progress = self._live or TerminalProgress()
        self._events = EventFile(events, self.terminal.say) if events and Processes().first else None

    @contextmanager
    def following(self, experiment: str, measures: Sequence[str]) -> Iterator[None]:
        """Follow the sweep of an experiment, which computes these measures, until the context ends."""
        self._measures = measures
        try:
            self._write("begin", experiment=experiment, process=os.getpid())
            with self._live.shown() if self._live else nullcontext():
                yield
        finally:
            if self._events:
                self._events.close()

    def cell(self, result: "Result") -> None:
        """Tell that a cell was looked up or computed, or has failed."""
        self.terminal.say(result_line(result, self._measures))
        self._write("cell", **result_record(result))

    def stand(self, standing: "Standing") -> None:
        """Tell how the sweep stands; at the end no cell is running."""
        if self._live:
            self._live.stand(standing)
        self._write("standing", **standing_record(standing))

    def end(self, experiment: str, made: int, results: "Sequence[Result]") -> None:
        """Tell that the sweep is through: an event with what `--json` prints."""
        self._write("end", **sweep_record(experiment, made, results))

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Show a task, with an event at its start and every other second."""
        write = partial(self._write, "task", task=description, total=total, unit=unit)
        write(done=0)
        with self.terminal.task(description, total, unit) as advance:
            yield counted(advance, SECONDS_BETWEEN_EVENTS, lambda done, _seconds: write(done=done))

    def say(self, message: str) -> None:
        """Pass on a message."""
        self._write("said", message=message)
        self.terminal.say(message)

    def _write(self, event: str, **fields: Any) -> None:
        if self._events:
            self._events.write(event, **fields)


class EventFile:
    """A file of events, a JSON object a line; a reader that goes away does not stop the sweep.

    Args:
        name: a file or a pipe to append to, `-` for stdout; opened with the first event, so that bad input leaves none.
        say: is called if the file cannot be written any more.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name = name
        self._say = say
        self._file: TextIO | None = sys.stdout if name == "-" else None
        self._given_up = False

    def write(self, event: str, **fields: Any) -> None:
        """Append an event."""
        if self._given_up:
            return
        line = to_json({"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields})
        self._file = self._file or self._opened()
        try:
            print(line, file=self._file, flush=True)
        except OSError as error:
            self._give_up(str(error.strerror or error))

    def close(self) -> None:
        """Close the file, unless it is stdout."""
        if self._file not in (None, sys.stdout):
            with suppress(OSError):  # of a disk that is full, which has been said
                self._file.close()

    def _opened(self) -> TextIO:
        try:
            return Path(self._name).open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--events {self._name}: cannot be written: {error.strerror or error}") from error

    def _give_up(self, reason: str) -> None:
        self._given_up = True
        if self._name == "-":  # nobody reads it: what is left in its buffer must not raise when Python exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self._say(f"--events {self._name}: cannot be written any more: {reason}; going on without")


def can_be_live() -> bool:
    """Return whether stderr is a terminal that can redraw lines, and this is the process that speaks."""
    from rich.console import Console

    return sys.stderr.isatty() and Processes().first and not Console(stderr=True).is_dumb_terminal


class LiveSweep:
    """A `Progress` at the foot of a terminal: how the sweep stands, its running cell, and the bar of the task."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._console = Console(stderr=True)
        self._tasks = Progress(*bar_columns(), console=self._console, auto_refresh=False)
        self._standing: Standing | None = None
        self._started = self._stood = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the context ends, and leave no trace then."""
        from rich.live import Live

        with Live(
            console=self._console,
            get_renderable=self._drawn,
            transient=True,
            refresh_per_second=REFRESHES_A_SECOND,
            redirect_stdout=False,  # it carries the result, whoever reads it
        ):
            yield

    def stand(self, standing: "Standing") -> None:
        """Show how the sweep stands from now on."""
        self._standing, self._stood = standing, time.monotonic()

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Draw a bar as long as the task takes."""
        task = self._tasks.add_task(plain(description), total=total, unit=unit)
        try:
            yield lambda done: self._tasks.advance(task, done)
        finally:
            self._tasks.remove_task(task)

    def say(self, message: str) -> None:
        """Print a line above what is drawn."""
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
    """Return a line about a sweep, which has taken `so_far` seconds and stood so `since` seconds ago, and its cell."""
    from optical_cli.artifacts.result import Setting

    filled = round(BAR_WIDTH * (standing.done + standing.failed) / standing.cells)
    left = replace(standing.left, seconds=max(standing.left.seconds - since, 0.0))
    parts = [
        f"{'━' * filled}{'╌' * (BAR_WIDTH - filled)} {standing.done} of {standing.cells} cells done",
        f"{standing.failed} failed" if standing.failed else "",
        duration(so_far),
        time_left(left) if standing.running else "",
    ]
    lines = [" · ".join(part for part in parts if part)]
    if (cell := standing.running) is not None:
        lines.append(plain(f"now {cell.pair}  {Setting(cell.objective, cell.reg).label}  seed {cell.seed}"))
    return lines
