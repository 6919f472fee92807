"""A running sweep at the foot of a terminal: how it stands, the cell in work, and the bar of what is being done."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from optical_cli.cli.terminal import bar_columns, duration, plain, time_left
from optical_cli.processes import Processes
from optical_cli.progress import Advance

if TYPE_CHECKING:
    from rich.console import RenderableType

    from optical_cli.sweep.sweep import Standing

BAR_WIDTH = 20
REFRESHES_A_SECOND = 2  # a training has the cores to itself


def can_be_live() -> bool:
    """Whether stderr is a terminal on which lines can be drawn anew, and this process is the one that speaks."""
    from rich.console import Console

    return sys.stderr.isatty() and Processes().first and not Console(stderr=True).is_dumb_terminal


class LiveSweep:
    """A `Progress` that draws a sweep; what is said scrolls by above. On stderr."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._console = Console(stderr=True)
        self._tasks = Progress(*bar_columns(), console=self._console, auto_refresh=False)
        self._standing: Standing | None = None
        self._started = self._stood = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw it until the context ends, and leave no trace of it then."""
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
        """The sweep has moved on."""
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
        """A line above what is drawn."""
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
    """How a sweep stands, in one line, and its running cell in another.

    Args:
        standing: as it was last heard of.
        so_far: seconds that the sweep has taken.
        since: seconds since it was heard of; they are taken off what is left.
    """
    from optical_cli.artifacts.result import Setting

    ended = standing.done + standing.failed
    filled = round(BAR_WIDTH * ended / standing.cells)
    left = replace(standing.left, seconds=max(standing.left.seconds - since, 0.0))
    parts = [
        f"{'━' * filled}{'╌' * (BAR_WIDTH - filled)} {standing.done} of {standing.cells} cells done",
        f"{standing.failed} failed" if standing.failed else "",
        duration(so_far),
        time_left(left) if standing.running else "",
    ]
    lines = [" · ".join(part for part in parts if part)]
    if standing.running is not None:
        cell = standing.running
        setting = Setting(cell.objective, cell.reg)
        lines.append(plain(f"now {cell.pair}  {setting.label}  seed {cell.seed}"))
    return lines
