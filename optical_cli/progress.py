"""The protocol by which long work reports its progress, to a terminal, a file or nobody."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of units done since the last call."""


class Progress(Protocol):
    """A receiver of progress: tasks with their units, and messages."""

    def task(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Open a task of `total` units (None if unknown), for the duration of the context."""
        ...

    def say(self, message: str) -> None:
        """Show a message of one line to the user."""
        ...


class Silence:
    """A `Progress` that shows nothing."""

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        """Open a task that is not shown."""
        yield lambda _done: None

    def say(self, message: str) -> None:
        """Drop the message."""


def counted(advance: Advance, seconds: float, report: Callable[[int, float], None]) -> Advance:
    """Wrap an `Advance` so that it also reports the units done so far, at intervals.

    Args:
        advance: called with every number of units.
        seconds: least time between two reports; a shorter task gets none.
        report: called with the units done and the seconds that they took.
    """
    started = reported = time.monotonic()
    done = 0

    def count(more: int) -> None:
        nonlocal done, reported
        done += more
        advance(more)
        now = time.monotonic()
        if now - reported >= seconds:
            reported = now
            report(done, now - started)

    return count
