"""The cache folder: can it be written, is there room, and do locks hold there?"""

import os
import shutil
import tempfile
from pathlib import Path

from optical_cli.doctor.finding import Finding

LITTLE_ROOM = 5e9
"""Bytes: an index of 50,000 passages of 100 tokens and 384 dimensions takes 4 GB."""

ELSEWHERE = "give another folder with --cache-dir or OPTICAL_CACHE"


def look_at_cache(root: Path) -> Finding:
    """Whether artifacts can be kept there: it is tried, in a scratch folder that is gone afterwards."""
    there = next(path for path in (root, *root.parents) if path.exists())
    if not there.is_dir():
        return Finding("cache", "fault", f"{there} is a file, and {root} was to be a folder", ELSEWHERE)
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".doctor-") as scratch:
            fault = _fault_in(Path(scratch))
    except OSError as error:
        return Finding("cache", "fault", f"{there} cannot be written: {error.strerror or error}", ELSEWHERE)
    if fault:
        return Finding("cache", "fault", f"{root}: {fault}", f"{ELSEWHERE}, on a local disk")
    free = shutil.disk_usage(there).free
    found = f"{root}: {free / 1e9:.1f} GB free, can be written, locks hold"
    if free < LITTLE_ROOM:
        return Finding(
            "cache", "warning", found, f"`optical cache prune EXPERIMENT...` removes what is not needed, or {ELSEWHERE}"
        )
    return Finding("cache", "ok", found)


def _fault_in(scratch: Path) -> str | None:
    """What the cache stands on and does not work in this folder."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(scratch / "a.lock", timeout=0):
            try:
                with FileLock(scratch / "a.lock", timeout=0):
                    return "a lock does not keep a second process out"
            except Timeout:
                pass
    except (OSError, NotImplementedError) as error:
        return f"no file can be locked ({error})"
    made = scratch / "made"
    made.mkdir()
    (made / "file").write_bytes(b"whole")
    descriptor = os.open(made / "file", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    made.rename(scratch / "renamed")
    return None if (scratch / "renamed" / "file").read_bytes() == b"whole" else "a folder that is renamed loses a file"
