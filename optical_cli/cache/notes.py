"""Notes beside the artifacts: what a process is making now and how far it is, and what failed the last time."""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from optical_cli.progress import Advance, Progress, counted

SECONDS_BETWEEN_NOTES = 1.0


@dataclass(frozen=True)
class Making:
    """An artifact in the making, by a process of a host, and how far its present task is."""

    kind: str
    label: str
    key: str  # its digest
    host: str
    process: int
    started: str  # UTC, ISO 8601
    task: str = ""  # "" where nobody counts
    done: int = 0
    total: int | None = None
    unit: str = ""
    seconds: float = 0.0  # that the task has taken

    @property
    def seconds_left(self) -> float | None:
        """Of the task, at the pace so far; None if unknown."""
        return self.seconds * (self.total - self.done) / self.done if self.total and self.done else None


@dataclass(frozen=True)
class Failure:
    """Why an artifact could not be made the last time."""

    kind: str
    label: str
    key: str
    when: str
    reason: str


Note = TypeVar("Note", Making, Failure)


class Notes:
    """The notes of this process in a cache, and those of others, for people only.

    Nothing is decided by them, and a note that cannot be written is left out.
    """

    def __init__(self, root: Path) -> None:
        self._making, self._failures = root / "making", root / "failures"
        self._own: Making | None = None

    @contextmanager
    def making(self, kind: str, label: str, key: str, name: str) -> Iterator[None]:
        """Note that an artifact is being made, as long as it is, under a file name of its own."""
        self._own = Making(kind, label, key, platform.node(), os.getpid(), _now())
        self._place = self._making / f"{name}.json"
        _write(self._place, self._own)
        try:
            yield
        finally:
            self._own = None
            _remove(self._place)

    def far(self, task: str, done: int, total: int | None, unit: str, seconds: float) -> None:
        """Note how far the work on the artifact in the making is."""
        if self._own is not None:
            self._own = replace(self._own, task=task, done=done, total=total, unit=unit, seconds=seconds)
            _write(self._place, self._own)

    def failed(self, kind: str, label: str, key: str, name: str, reason: str) -> None:
        """Note why an artifact could not be made."""
        _write(self._failures / f"{name}.json", Failure(kind, label, key, _now(), reason))

    def forget(self, name: str) -> None:
        """Remove the notes of an artifact that is made."""
        for notes in (self._making, self._failures):
            _remove(notes / f"{name}.json")

    def is_noted(self, name: str) -> bool:
        """Whether an artifact is noted to be in the making."""
        return (self._making / f"{name}.json").exists()

    def all_making(self) -> list[tuple[str, Making]]:
        """The notes of every process by file name, including killed ones."""
        return list(_read(self._making, Making))

    def all_failures(self) -> list[Failure]:
        """The artifacts that could not be made."""
        return [failure for _, failure in _read(self._failures, Failure)]


class NotedProgress:
    """A `Progress` that passes everything on to a listener, and notes how far the work is."""

    def __init__(self, listener: Progress, notes: Notes) -> None:
        self._listener = listener
        self._notes = notes

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Open a task; it is noted at once, then every second or so."""

        def note(done: int, seconds: float) -> None:
            self._notes.far(description, done, total, unit, seconds)

        note(0, 0.0)
        with self._listener.task(description, total, unit) as tell:
            yield counted(tell, SECONDS_BETWEEN_NOTES, note)
        self._notes.far("", 0, None, "", 0.0)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._listener.say(message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, note: Making | Failure) -> None:
    """Write whole or not at all, but without waiting for the disk: a note is worth nothing after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(asdict(note)), encoding="utf-8")
            temporary.replace(path)
        except OSError:  # a full disk takes the name and not the text
            temporary.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _read(folder: Path, record: type[Note]) -> Iterator[tuple[str, Note]]:
    """The notes of a folder by file name, without those that vanish meanwhile or that another version wrote."""
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            yield path.stem, record(**json.loads(path.read_text(encoding="utf-8")))
