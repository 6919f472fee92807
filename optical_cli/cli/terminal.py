"""The terminal: text made safe, numbers in words, tables on stdout, progress on stderr."""

import math
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from optical_cli.processes import Processes
from optical_cli.progress import Advance, counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

    from optical_cli.plan.planned import Left

SECONDS_BETWEEN_LINES = 10.0
PIPE_WIDTH = 200
TEXT_WIDTH = 100  # characters of a line of prose, also on a wider terminal
COLUMN_GAP = 3
UNITS = ("B", "kB", "MB", "GB", "TB")


def plain(text: str) -> str:
    """Spell out control characters, so that data cannot steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def duration(seconds: float) -> str:
    """`8 s`, `3 min`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def time_left(left: "Left") -> str:
    """`about 14 min left`; `more than 3 min left` if the time of some artifacts is unknown."""
    if not left.unknown:
        return f"about {duration(left.seconds)} left"
    return f"more than {duration(left.seconds)} left" if left.seconds else "time left not known yet"


def size(count: int) -> str:
    """`812 B`, `4.1 MB`, `4.6 GB`."""
    thousands = min((len(str(count)) - 1) // 3, len(UNITS) - 1)
    return f"{count / 1000**thousands:.1f} {UNITS[thousands]}" if thousands else f"{count} B"


def stdout_console() -> "Console":
    """Open a rich console on stdout that takes every text literally; wide enough for a table in a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False, highlight=False, emoji=False)


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers_from: float = math.inf,
    foot: Sequence[Sequence[str]] = (),
) -> None:
    """Print a table, never cut in a pipe; columns from `numbers_from` on are right-aligned, `foot` is below a gap."""
    from rich import box
    from rich.table import Table

    table: Table = Table(box=box.SIMPLE, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(plain(head), justify="right" if number >= numbers_from else "left", overflow="fold")
    for section in (rows, foot):
        for row in section:
            table.add_row(*map(plain, row))
        table.add_section()
    stdout_console().print(table)


def print_in_blocks(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in parts that fit the terminal, each with the first column, which names the rows."""
    widths = [max(map(len, column)) + COLUMN_GAP for column in zip(heads, *rows, strict=True)]
    blocks = [[0]]
    for number in range(1, len(heads)):
        if len(blocks[-1]) > 1 and sum(widths[i] for i in blocks[-1]) + widths[number] > text_width():
            blocks.append([0])
        blocks[-1].append(number)
    for block in blocks:
        print_table([heads[i] for i in block], [[row[i] for i in block] for row in rows])


def print_text(text: str, before: str = "") -> None:
    """Print a paragraph in lines that fit the terminal and can be read with ease, `before` it a bullet or a name."""
    width, indent = min(text_width(), TEXT_WIDTH), " " * len(before)
    wrapped = textwrap.fill(
        plain(text),
        width,
        initial_indent=before,
        subsequent_indent=indent,
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    print(wrapped)


def text_width() -> int:
    """Characters of a line on stdout."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


class TerminalProgress:
    """A `Progress` on stderr: bars on a terminal, a line every few seconds elsewhere; only the first process speaks."""

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Show the units done, the rate and the time left of a task."""
        if not Processes().first:
            yield lambda _done: None
        elif sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            with Progress(*bar_columns(), console=Console(stderr=True), transient=True) as bar:
                shown = bar.add_task(plain(description), total=total, unit=unit)
                yield lambda done: bar.advance(shown, done)
        else:
            yield _lines(plain(description), total, unit)

    def say(self, message: str) -> None:
        """Print a line."""
        if Processes().first:
            print(plain(message), file=sys.stderr, flush=True)


def bar_columns() -> "tuple[ProgressColumn, ...]":
    """The columns of a rich progress bar whose tasks have a `unit`."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return (
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}", markup=False), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip


def _lines(description: str, total: int | None, unit: str) -> Advance:
    def say(done: int, seconds: float) -> None:
        left = f" of {total} {unit}, about {duration(seconds * (total - done) / done)} left" if total else f" {unit}"
        print(f"{description}: {done}{left}", file=sys.stderr, flush=True)

    return counted(lambda _done: None, SECONDS_BETWEEN_LINES, say)
