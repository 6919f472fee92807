"""Fingerprints of input data, remembered in the cache folder, so that no large file is read twice.

A file is recognised by path, size, mtime and ctime. The mtime is not enough: `cp -p`, `rsync -t` and `tar -x` give new
content an old one, but nothing sets the ctime. Path, size and times are never part of a key.
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
    """SHA-256 digests of files and streams, remembered in a folder, which is created for the first digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, str] = {}  # so that a file has the same digest in all keys of this process

    def of_file(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes, 64 hex digits; remembered until size, mtime or ctime change."""
        path = Path(os.path.realpath(path))  # Path.resolve raises RuntimeError for a link that leads back to itself
        if path in self._files:
            return self._files[path]
        state = _state(path)
        known = self._recall(f"file:{path}")
        if known is not None and known["seen"] == state:
            digest = str(known["sha256"])
        else:
            digest = sha256_of_file(path)
            if _state(path) == state:  # the file was not written meanwhile
                self._remember(f"file:{path}", {"seen": state, "sha256": digest})
        self._files[path] = digest
        return digest

    def of_stream(self, name: str, chunks: Callable[[], Iterable[bytes]]) -> str:
        """Return the SHA-256 of a stream, 64 hex digits.

        Args:
            name: identifies the stream; it must change whenever the content may have changed.
            chunks: returns the stream; called only if the name is new.
        """
        known = self._recall(f"stream:{name}")
        if known is not None:
            return str(known["sha256"])
        digest = hashlib.sha256()
        for chunk in chunks():
            digest.update(len(chunk).to_bytes(8, "little"))  # makes the digest depend on the boundaries of chunks
            digest.update(chunk)
        self._remember(f"stream:{name}", {"sha256": digest.hexdigest()})
        return digest.hexdigest()

    def of_inputs(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A small result about inputs, as JSON values; computed if its `name`, which has their fingerprints, is new."""
        found = self.known_of_inputs(name)
        if found is None:
            found = compute()
            self._remember(f"result:{name}", {"found": found})
        return found

    def known_of_inputs(self, name: str) -> dict[str, Any] | None:
        """Return a result of `of_inputs` that was computed before; None if there is none."""
        known = self._recall(f"result:{name}")
        found: dict[str, Any] | None = known and known["found"]
        return found

    def _place(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.json"

    def _recall(self, name: str) -> dict[str, Any] | None:
        try:
            note = json.loads(self._place(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # the digest is computed again
        if not isinstance(note, dict) or note.get("name") != name or note.pop("check", None) != _check(note):
            return None
        return note

    def _remember(self, name: str, note: dict[str, Any]) -> None:
        note = {"name": name, **note}
        with suppress(CacheError):  # the cache may be read-only
            write_text(self._place(name), json.dumps({**note, "check": _check(note)}))


def _check(note: dict[str, Any]) -> str:
    """Return a checksum that reveals a damaged note: a wrong digest would give a wrong key."""
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
