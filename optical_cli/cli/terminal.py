"""What a terminal is told while work goes on, and how text from data is made safe for it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optical_cli.processes import Processes
from optical_cli.progress import Advance, counted

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from optical_cli.plan.planned import Left

SECONDS_BETWEEN_LINES = 10.0


def plain(text: str) -> str:
    """Text with control characters spelled out, so that data cannot steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


class TerminalProgress:
    """Bars on a terminal; on anything else a line now and then. Always on stderr.

    Args:
        quiet: say nothing at all, as every process but the first does.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet or not Processes().first

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Show a task with the units done, the rate and the time that is left."""
        if self._quiet:
            yield lambda _done: None
        elif sys.stderr.isatty():
            with _bar(plain(description), total, unit) as advance:
                yield advance
        else:
            yield _lines(plain(description), total, unit)

    def say(self, message: str) -> None:
        """One line on stderr."""
        if not self._quiet:
            print(plain(message), file=sys.stderr, flush=True)


@contextmanager
def _bar(description: str, total: int | None, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*bar_columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total, unit=unit)
        yield lambda done: bar.advance(task, done)


def bar_columns() -> "tuple[ProgressColumn, ...]":
    """What stands in the line of a task that has a `unit`."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )


def _lines(description: str, total: int | None, unit: str) -> Advance:
    """Says how far the task is every few seconds; a task that is done sooner says nothing."""

    def say(done: int, seconds: float) -> None:
        print(f"{description}: {_state(done, total, unit, seconds)}", file=sys.stderr, flush=True)

    return counted(lambda _done: None, SECONDS_BETWEEN_LINES, say)


def _state(done: int, total: int | None, unit: str, seconds: float) -> str:
    if not total:
        return f"{done} {unit}"
    return f"{done} of {total} {unit}, about {duration(seconds * (total - done) / done)} left"


def duration(seconds: float) -> str:
    """`8 s`, `3 min`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def time_left(left: "Left") -> str:
    """`about 14 min left`; `more than 3 min left` if nothing like a part of it has been made yet."""
    if not left.unknown:
        return f"about {duration(left.seconds)} left"
    return f"more than {duration(left.seconds)} left" if left.seconds else "time left not known yet"


def size(count: int) -> str:
    """Bytes as people read them: `812 B`, `4.1 MB`, `4.6 GB`."""
    amount, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while amount >= 1000 and unit != "TB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
