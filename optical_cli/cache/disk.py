"""What the operating system says when a folder cannot be written, in words that help."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from optical_cli.errors import CacheError, NoRoom

FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
NO_ROOM = FULL | {errno.EROFS}
PROBE = bytes(1 << 16)


def unusable(path: Path, error: OSError) -> CacheError:
    """The error of a cache that cannot be read or written at some path."""
    return cache_error(error, f"the cache cannot be used: {path}: {error.strerror or error}; {remedy(error)}")


def cache_error(error: OSError, said: str) -> CacheError:
    """What is said of a refusal, as the error that it is."""
    return (NoRoom if error.errno in NO_ROOM else CacheError)(said)


def remedy(error: OSError) -> str:
    """What to do when a file of the cache cannot be written."""
    if error.errno in FULL:
        return (
            "make room (`optical cache list` shows what is there, `optical cache prune EXPERIMENT...` removes what "
            "none of these needs) or give a folder on another disk with --cache-dir or OPTICAL_CACHE"
        )
    return "mend its permissions or give another folder with --cache-dir or OPTICAL_CACHE"


def system_error(error: BaseException, folder: Path) -> OSError | None:
    """What the operating system said behind an error that came up while a folder was filled; None if it did not.

    Libraries tell it in their own ways: numpy forgets the number, safetensors has it in a text, torch says only that
    a write failed. So a small file is tried where nothing else tells it.
    """
    if isinstance(error, BrokenPipeError | ConnectionError):
        return None  # of whoever reads or serves us
    if isinstance(error, OSError) and error.errno is not None:
        return error
    for behind in chain_of(error):
        if isinstance(behind, OSError) and behind.errno in FULL:
            return behind
        if found := re.search(r"\(os error (\d+)\)", str(behind)):
            return OSError(int(found[1]), os.strerror(int(found[1])))
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(PROBE)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as refused:
        return refused
    return None


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those it came of."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def not_made(what: str, error: OSError, root: Path, written: int) -> CacheError:
    """The error of an artifact that could not be written, or whose input could not be read.

    Args:
        what: the artifact.
        error: what the operating system said.
        root: the cache's.
        written: bytes of the artifact that were.
    """
    at = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    said = f"{what} could not be made: {at or root}: {error.strerror or error}"
    if error.errno in FULL:
        return NoRoom(
            f"{said}: {_bytes(written)} of it were written, and {_free(root)}; {remedy(error)}; "
            "the same command goes on then"
        )
    if at is not None and not at.is_relative_to(root):
        return CacheError(f"{said}; mend that and run the same command again")
    return cache_error(error, f"{said}; {remedy(error)}")


def size_of(*folders: Path) -> int:
    """Bytes of the files under some folders, as far as they are there."""
    sizes = 0
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                sizes += path.lstat().st_size
            except OSError:  # gone meanwhile
                continue
    return sizes


def _free(root: Path) -> str:
    """What is free on the disks that an artifact is written to."""
    said = f"{_bytes(shutil.disk_usage(root).free)} are free there"
    scratch = Path(tempfile.gettempdir())
    if scratch.stat().st_dev == root.stat().st_dev:
        return said
    return f"{said}, {_bytes(shutil.disk_usage(scratch).free)} in {scratch}, where temporary files are"


def _bytes(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
