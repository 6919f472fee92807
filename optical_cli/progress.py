"""How long work tells of its progress, without knowing who listens."""

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
