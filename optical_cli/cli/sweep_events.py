"""A running sweep as JSON lines, for programs that look on."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from optical_cli.cli import show
from optical_cli.errors import ConfigError
from optical_cli.progress import Advance, Progress, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optical_cli.artifacts.result import Result
    from optical_cli.pipeline.cells import Cell
    from optical_cli.sweep.sweep import Standing

SECONDS_BETWEEN_EVENTS = 2.0


class SweepEvents:
    """A `Progress` that passes everything on, and writes what happens as a JSON object a line.

    Args:
        listener: who is told besides.
        file: a file or a pipe to whose end the lines go, `-` for stdout; it is opened when there is the first to write,
            so that bad input leaves nothing behind.
    """

    def __init__(self, listener: Progress, file: str) -> None:
        self._listener = listener
        self._name = file
        self._file: TextIO | None = sys.stdout if file == "-" else None
        self._given_up = False

    def begin(self, experiment: str) -> None:
        """The sweep has been read and opened."""
        self._write("begin", experiment=experiment, process=os.getpid())

    def stand(self, standing: "Standing") -> None:
        """The sweep has moved on; at the end no cell is running."""
        self._write(
            "standing",
            cells=standing.cells,
            done=standing.done,
            failed=standing.failed,
            running=None if standing.running is None else _cell(standing.running),
            artifacts_left=standing.left.artifacts,
            seconds_left=round(standing.left.seconds, 1),
            seconds_unknown_for=standing.left.unknown,
        )

    def cell(self, result: "Result") -> None:
        """A cell has been looked up, computed, or has failed."""
        self._write("cell", **show.records([result])[0])

    def end(self, experiment: str, made: int, results: "Sequence[Result]") -> None:
        """The sweep is through: what `--json` prints."""
        self._write("end", **show.sweep_record(experiment, made, results))

    @contextmanager
    def task(self, description: str, total: int | None, unit: str) -> Iterator[Advance]:
        """An event at the start and then every other second or so."""
        write = partial(self._write, "task", task=description, total=total, unit=unit)
        write(done=0)
        with self._listener.task(description, total, unit) as tell:
            yield counted(tell, SECONDS_BETWEEN_EVENTS, lambda done, _seconds: write(done=done))

    def say(self, message: str) -> None:
        """Something that a user may want to know."""
        self._write("said", message=message)
        self._listener.say(message)

    def close(self) -> None:
        """No more events."""
        if self._file not in (None, sys.stdout):
            with suppress(OSError):  # of a disk that is full, which has been told
                self._file.close()

    def _write(self, event: str, **fields: Any) -> None:
        """Write a line; whoever stops reading does not stop the sweep.

        Raises:
            ConfigError: the file cannot be opened.
        """
        if self._given_up:
            return
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = show.jsonable({"event": event, "time": when, **fields})
        if self._file is None:
            self._file = self._open()
        try:
            print(json.dumps(line, ensure_ascii=False, allow_nan=False), file=self._file, flush=True)
        except OSError as error:
            self._give_up(error)

    def _open(self) -> TextIO:
        try:
            return Path(self._name).open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--events {self._name}: cannot be written: {error.strerror or error}") from error

    def _give_up(self, error: OSError) -> None:
        self._given_up = True
        if self._name == "-":  # nobody reads it; what is left in its buffer goes nowhere, and without complaint
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = error.strerror or error
        self._listener.say(f"--events {self._name}: cannot be written any more: {reason}; going on without")


def _cell(cell: "Cell") -> dict[str, Any]:
    return {"pair": cell.pair, "objective": cell.objective, "reg": cell.reg, "seed": cell.seed}
