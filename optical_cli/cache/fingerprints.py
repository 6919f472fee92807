"""Digests of input data, remembered so that a warm start reads no large file twice.

A digest is remembered beside the cache by what is cheap to look at (a file's path, size and time of change).
Such names speed up the look-up only; they are never part of a key.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from optical_cli.cache.atomic import write_text


class Fingerprints:
    """SHA-256 digests of files and streams, memoised in a folder.

    Args:
        folder: where the memo lies; it is made when the first digest is remembered.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, str] = {}  # of this process: a file has one digest from the first key to the last

    def of_file(self, path: Path) -> str:
        """The SHA-256 of a file's bytes, 64 hex digits; remembered while size and time of change stay."""
        path = path.resolve()
        if path not in self._files:
            self._files[path] = self._digest(path)
        return self._files[path]

    def _digest(self, path: Path) -> str:
        state = path.stat()
        seen = [state.st_size, state.st_mtime_ns]
        known = self._recall(f"file:{path}")
        if known is not None and known["seen"] == seen:
            return str(known["sha256"])
        digest = sha256_of_file(path)
        self._remember(f"file:{path}", {"seen": seen, "sha256": digest})
        return digest

    def of_stream(self, name: str, chunks: Callable[[], Iterable[bytes]]) -> str:
        """The SHA-256 of a stream of chunks, 64 hex digits; the stream is read only if `name` is new.

        The caller's `name` has to change whenever the stream may have changed.
        """
        known = self._recall(f"stream:{name}")
        if known is not None:
            return str(known["sha256"])
        digest = hashlib.sha256()
        for chunk in chunks():
            digest.update(len(chunk).to_bytes(8, "little"))  # so that moving a boundary changes the digest
            digest.update(chunk)
        self._remember(f"stream:{name}", {"sha256": digest.hexdigest()})
        return digest.hexdigest()

    def _place(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.json"

    def _recall(self, name: str) -> dict[str, Any] | None:
        try:
            note = json.loads(self._place(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # a memo that is missing or damaged only costs time
        return note if isinstance(note, dict) and note.get("name") == name else None

    def _remember(self, name: str, note: dict[str, Any]) -> None:
        write_text(self._place(name), json.dumps({"name": name, **note}))


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
