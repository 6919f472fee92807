"""Output on a terminal: safe text, durations in words, tables on stdout, progress on stderr."""

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
INDENT = 4  # of a row's second line
PROSE = 24  # characters; a wider cell may be wrapped between words


def plain(text: str) -> str:
    """Escape control characters, so that text from data cannot steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def duration(seconds: float) -> str:
    """Write seconds in words: `8 s`, `3 min`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def time_left(left: "Left") -> str:
    """Write the time left: `about 14 min left`, or `more than 3 min left` if some artifacts have no estimate."""
    if not left.unknown:
        return f"about {duration(left.seconds)} left"
    return f"more than {duration(left.seconds)} left" if left.seconds else "time left unknown"


def stdout_console() -> "Console":
    """Open a rich console on stdout that prints every text literally."""
    from rich.console import Console

    return Console(width=text_width(), markup=False, highlight=False, emoji=False)


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers_from: float = math.inf,
    foot: Sequence[Sequence[str]] = (),
) -> None:
    """Print a table that breaks no word, so that names and keys can be copied from it.

    Wide cells of prose are wrapped between words. If the table is still too wide for the terminal, each row takes two
    lines or more. Columns from `numbers_from` on are right-aligned, and `foot` follows below a gap.
    """
    from rich import box
    from rich.table import Table

    heads, rows, foot = ([*map(plain, heads)], *([[*map(plain, row)] for row in part] for part in (rows, foot)))
    widths = _column_widths(heads, [*rows, *foot])
    if widths is None:
        _print_folded(heads, [*rows, *foot], numbers_from)
        return
    table: Table = Table(box=box.SIMPLE, pad_edge=False)
    for number, (head, width) in enumerate(zip(heads, widths, strict=True)):
        table.add_column(head, justify="right" if number >= numbers_from else "left", width=width)
    for part in (rows, foot):
        for row in part:
            table.add_row(*row)
        table.add_section()
    stdout_console().print(table)


def _column_widths(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int] | None:
    """Return the width of each column, cells of prose narrowed to fit the terminal; None if they cannot fit."""
    from rich.cells import cell_len

    columns = [
        [cell_len(line) for cell in column for line in cell.split("\n")] for column in zip(heads, *rows, strict=True)
    ]
    widths = [max(column) for column in columns]
    words = [max(map(cell_len, " ".join(column).split()), default=0) for column in zip(heads, *rows, strict=True)]
    room = text_width() - COLUMN_GAP * len(widths)
    narrowest = [min(width, max(PROSE, word)) for width, word in zip(widths, words, strict=True)]
    if sum(narrowest) > room:
        return None
    while sum(widths) > room:  # the widest column of prose gives way first
        number = max(range(len(widths)), key=lambda i: (widths[i] > narrowest[i], widths[i]))
        widths[number] -= 1
    return widths


def _print_folded(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: float) -> None:
    """Print each row of a table in several lines, as many columns in each as fit the terminal."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    lines: list[list[int]] = [[]]
    for number, width in enumerate(widths):
        taken = sum(widths[i] + COLUMN_GAP for i in lines[-1]) + INDENT * (len(lines) > 1)
        if lines[-1] and taken + width > text_width():
            lines.append([])
        lines[-1].append(number)
    for number, row in enumerate([heads, *rows]):
        for indent, columns in zip((0, *[INDENT] * len(lines)), lines, strict=False):
            cells = [_padded(row[i], widths[i], right=i >= numbers_from) for i in columns]
            if line := (" " * COLUMN_GAP).join(cells).rstrip():
                print(" " * indent + line)
        if number == 0:
            print("─" * min(text_width(), sum(widths[i] + COLUMN_GAP for i in lines[0]) - COLUMN_GAP))


def _padded(text: str, width: int, *, right: bool) -> str:
    from rich.cells import cell_len

    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def print_in_blocks(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> None:
    """Print a table in parts that fit the terminal, each with the first column, which names the rows.

    With `numbers`, the other columns are right-aligned.
    """
    widths = [max(map(len, column)) + COLUMN_GAP for column in zip(heads, *rows, strict=True)]
    blocks = [[0]]
    for number in range(1, len(heads)):
        if len(blocks[-1]) > 1 and sum(widths[i] for i in blocks[-1]) + widths[number] > text_width():
            blocks.append([0])
        blocks[-1].append(number)
    for block in blocks:
        part = [[row[i] for i in block] for row in rows]
        print_table([heads[i] for i in block], part, numbers_from=1 if numbers else math.inf)


def print_text(text: str, before: str = "") -> None:
    """Print a paragraph, wrapped at the width of the terminal or at 100 characters; `before` is a bullet or a name."""
    wrapped = textwrap.fill(
        plain(text),
        min(text_width(), TEXT_WIDTH),
        initial_indent=before,
        subsequent_indent=" " * len(before),
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    print(wrapped)


def print_lines(text: str, indent: str) -> None:
    """Print a line at once; a terminal gets it wrapped between words, continued at an indent."""
    if sys.stdout.isatty():
        text = textwrap.fill(
            text, text_width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    print(plain(text), flush=True)


def text_width() -> int:
    """Return the characters of a line on stdout: those of the terminal, or 200 in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


class TerminalProgress:
    """A `Progress` on stderr: bars on a terminal, otherwise a line every 10 seconds; silent in all but one process."""

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Show the units done and the time left of a task."""
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
    """Return the columns of a rich progress bar whose tasks have a field `unit`."""
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
    def say(done: int, seconds: float) -> None:
        left = f" of {total} {unit}, about {duration(seconds * (total - done) / done)} left" if total else f" {unit}"
        print(f"{description}: {done}{left}", file=sys.stderr, flush=True)

    return counted(lambda _done: None, SECONDS_BETWEEN_LINES, say)
