"""How long work tells of its progress, without knowing who listens."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]
"""Called with the number of units done since the last call."""


class Progress(Protocol):
    """Somebody who wants to know how far the work is."""

    def task(self, description: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
        """Open a task of `total` units (None: not known); it ends with the context."""
        ...

    def say(self, message: str) -> None:
        """Say one line that a user may want to know."""
        ...


class Silence:
    """A `Progress` that tells nobody."""

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:  # noqa: ARG002
        """Open a task nobody hears of."""
        yield lambda _done: None

    def say(self, message: str) -> None:
        """Say nothing."""


def counted(advance: Advance, seconds: float, tell: Callable[[int, float], None]) -> Advance:
    """An `Advance` that counts: it passes everything on, and now and then tells how far a task is.

    Args:
        advance: hears of the same units.
        seconds: between two tellings at least; a task that is done sooner is not told of.
        tell: hears how many units are done, and how many seconds they have taken.
    """
    started = told = time.monotonic()
    done = 0

    def count(more: int) -> None:
        nonlocal done, told
        done += more
        advance(more)
        now = time.monotonic()
        if now - told >= seconds:
            told = now
            tell(done, now - started)

    return count
