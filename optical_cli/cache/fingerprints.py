"""Digests of input data, remembered beside the cache so that a warm start reads no large file twice.

A file is recognised by its path, size, mtime and ctime: `cp -p`, `rsync -t` and `tar -x` set the mtime of new content
to an old one, and nothing sets the ctime. These speed up the look-up only; they are never part of a key.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from optical_cli.cache.files import write_text
from optical_cli.errors import CacheError


class Fingerprints:
    """SHA-256 digests of files and streams, memoised in a folder, which is made when the first one is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, str] = {}  # of this process: a file has one digest from the first key to the last

    def of_file(self, path: Path) -> str:
        """The SHA-256 of a file's bytes, 64 hex digits; remembered while size and times of change stay."""
        path = path.resolve()
        if path in self._files:
            return self._files[path]
        seen = _seen(path)
        known = self._recall(f"file:{path}")
        if known is not None and known["seen"] == seen:
            digest = str(known["sha256"])
        else:
            digest = sha256_of_file(path)
            if _seen(path) == seen:  # else it was written while it was read
                self._remember(f"file:{path}", {"seen": seen, "sha256": digest})
        self._files[path] = digest
        return digest

    def of_stream(self, name: str, chunks: Callable[[], Iterable[bytes]]) -> str:
        """The SHA-256 of a stream, 64 hex digits; read if its `name`, which changes whenever it may have, is new."""
        known = self._recall(f"stream:{name}")
        if known is not None:
            return str(known["sha256"])
        digest = hashlib.sha256()
        for chunk in chunks():
            digest.update(len(chunk).to_bytes(8, "little"))  # so that moving a boundary changes the digest
            digest.update(chunk)
        self._remember(f"stream:{name}", {"sha256": digest.hexdigest()})
        return digest.hexdigest()

    def of_inputs(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A small result about inputs, as JSON values; computed if its `name`, which has their fingerprints, is new."""
        known = self._recall(f"result:{name}")
        if known is None:
            known = {"found": compute()}
            self._remember(f"result:{name}", known)
        found: dict[str, Any] = known["found"]
        return found

    def _place(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.json"

    def _recall(self, name: str) -> dict[str, Any] | None:
        try:
            note = json.loads(self._place(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # a memo that is missing or damaged only costs time
        if not isinstance(note, dict) or note.get("name") != name or note.pop("check", None) != _check(note):
            return None
        return note

    def _remember(self, name: str, note: dict[str, Any]) -> None:
        note = {"name": name, **note}
        with suppress(CacheError):  # a cache that cannot be written can still be read
            write_text(self._place(name), json.dumps({**note, "check": _check(note)}))


def _check(note: dict[str, Any]) -> str:
    """By which a damaged memo is known: a wrong digest would be a wrong key."""
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()


def _seen(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
