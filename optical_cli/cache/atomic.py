"""Files that are there whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from optical_cli.errors import CacheError


def write_text(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old one or the new one, never a part.

    Raises:
        CacheError: the folder cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CacheError(
            f"cannot write {path}: {error.strerror or error}; give a folder you can write with --cache-dir"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Push every file of a folder, and the folder itself, to the disk."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
