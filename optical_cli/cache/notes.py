"""Notes in the cache folder: artifacts that are being made, with their progress, and artifacts that failed."""

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
    """An artifact that a process is making, and the progress of its current task."""

    kind: str
    label: str
    key: str  # digest of the key
    host: str
    process: int  # process id
    started: str  # UTC, ISO 8601
    task: str = ""  # "" if no task reports its progress
    done: int = 0
    total: int | None = None
    unit: str = ""
    seconds: float = 0.0  # elapsed since the task began

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the remaining time of the task, at its pace so far; None if unknown."""
        return self.seconds * (self.total - self.done) / self.done if self.total and self.done else None


@dataclass(frozen=True)
class Failure:
    """The reason why an artifact could not be made in the last attempt."""

    kind: str
    label: str
    key: str
    when: str
    reason: str


Note = TypeVar("Note", Making, Failure)


class Notes:
    """The notes in a cache folder, which this process writes and all processes may read.

    They are information for people only: no decision depends on them, and a note that cannot be written is left out.
    """

    def __init__(self, root: Path) -> None:
        self._making, self._failures = root / "making", root / "failures"
        self._current: Making | None = None

    @contextmanager
    def making(self, kind: str, label: str, key: str, name: str) -> Iterator[None]:
        """Note that an artifact is being made, until the context ends; `name` is the file name of the note."""
        self._current = Making(kind, label, key, platform.node(), os.getpid(), _now())
        self._place = self._making / f"{name}.json"
        _write(self._place, self._current)
        try:
            yield
        finally:
            self._current = None
            _remove(self._place)

    def progressed(self, task: str, done: int, total: int | None, unit: str, seconds: float) -> None:
        """Note the progress of the artifact that this process is making."""
        if self._current is not None:
            self._current = replace(self._current, task=task, done=done, total=total, unit=unit, seconds=seconds)
            _write(self._place, self._current)

    def failed(self, kind: str, label: str, key: str, name: str, reason: str) -> None:
        """Note why an artifact could not be made."""
        _write(self._failures / f"{name}.json", Failure(kind, label, key, _now(), reason))

    def forget(self, name: str) -> None:
        """Remove the notes of an artifact that is complete."""
        for notes in (self._making, self._failures):
            _remove(notes / f"{name}.json")

    def is_noted(self, name: str) -> bool:
        """Return whether there is a note that an artifact is being made."""
        return (self._making / f"{name}.json").exists()

    def all_making(self) -> list[tuple[str, Making]]:
        """Return the artifacts that processes are making, by file name, including those of killed processes."""
        return list(_read(self._making, Making))

    def all_failures(self) -> list[Failure]:
        """Return the artifacts that failed."""
        return [failure for _, failure in _read(self._failures, Failure)]


class NotedProgress:
    """A `Progress` that forwards everything to a listener, and notes the progress in the cache."""

    def __init__(self, listener: Progress, notes: Notes) -> None:
        self._listener = listener
        self._notes = notes

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """Open a task, whose progress is noted at once, and then about once a second."""

        def note(done: int, seconds: float) -> None:
            self._notes.progressed(description, done, total, unit, seconds)

        note(0, 0.0)
        with self._listener.task(description, total, unit) as tell:
            yield counted(tell, SECONDS_BETWEEN_NOTES, note)
        self._notes.progressed("", 0, None, "", 0.0)

    def say(self, message: str) -> None:
        """Forward a message."""
        self._listener.say(message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, note: Making | Failure) -> None:
    """Write a note atomically, but without flushing it to the disk: after a crash it is of no use."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(json.dumps(asdict(note)), encoding="utf-8")
            temporary.replace(path)
        except OSError:  # on a full disk, the file may be created without its text
            temporary.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _read(folder: Path, record: type[Note]) -> Iterator[tuple[str, Note]]:
    """Iterate over the notes of a folder by file name, without those that vanish, or that another version wrote."""
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            yield path.stem, record(**json.loads(path.read_text(encoding="utf-8")))
