"""Where a training that was killed goes on."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optical_cli.cache.files import checksums_of_folder, sync_folder, write_text

MARKER = "complete.json"
"""Written last: what the diary knew. A savepoint without it was being written when the training was killed."""

CHECKSUMS = "checksums"


class Savepoints:
    """The savepoints of a training in a folder that outlives a kill.

    Args:
        folder: theirs alone.
        every: seconds between two of them.
    """

    def __init__(self, folder: Path, every: float) -> None:
        self.folder = folder
        self._every = every
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return time.monotonic() - self._last >= self._every

    def newest(self) -> Path | None:
        """The complete savepoint with the most steps that is as it was written, if there is any."""
        complete = (marker.parent for marker in self.folder.glob(f"*/{MARKER}"))
        return max((savepoint for savepoint in complete if _is_whole(savepoint)), key=_step, default=None)

    def complete(self, step: int, diary: Mapping[str, Any]) -> None:
        """Mark the savepoint of a step as complete, and drop those before it."""
        folder = self.folder / f"checkpoint-{step}"  # as the trainer names it
        sync_folder(folder)  # before the marker, which speaks of it
        checksums = checksums_of_folder(folder, but=MARKER)
        write_text(folder / MARKER, json.dumps({**diary, CHECKSUMS: checksums}))
        for older in self.folder.glob("checkpoint-*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)
        self._last = time.monotonic()


def read_marker(savepoint: Path) -> dict[str, Any]:
    """What the diary knew at a savepoint."""
    return dict(json.loads((savepoint / MARKER).read_text(encoding="utf-8")))


def _is_whole(savepoint: Path) -> bool:
    """Whether every file of a savepoint is what its marker says; a damaged one would end in another student."""
    try:
        return bool(read_marker(savepoint)[CHECKSUMS] == checksums_of_folder(savepoint, but=MARKER))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _step(savepoint: Path) -> int:
    return int(savepoint.name.rsplit("-", 1)[1])
