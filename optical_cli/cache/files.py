"""Files of the cache: atomic writes, checksums, and messages for errors of the operating system."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from optical_cli.errors import CacheError, NoRoom, byte_size
from optical_cli.machine import free_disk

FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def write_text(path: Path, text: str) -> None:
    """Write a small file atomically: readers see the old or the new content. CacheError if it cannot be written."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        with temporary.open("x", encoding="utf-8") as file:  # unlike mkstemp, with the permissions of the umask
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise cache_error(error, f"cannot write {path}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Give all files of a folder the permissions of the umask, and flush them and the folder to the disk.

    safetensors writes files that only their owner can read, so that others could not use a shared cache.
    """
    os.umask(mask := os.umask(0o077))  # it can only be read by setting it
    for path in [*folder.rglob("*"), folder]:
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~mask)
        sync(path)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some file systems cannot sync a folder, because they write names at once
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def clear(place: Path) -> None:
    """Remove a file, a folder or a link; links are not followed."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)


def checksum_of_file(path: Path, size: int | None = None) -> int:
    """Return the CRC-32 of a file's first `size` bytes, or of all. It is faster than a digest and shows disk errors."""
    checksum, left = 0, path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while chunk := file.read(min(1 << 20, left)):
            checksum = zlib.crc32(chunk, checksum)
            left -= len(chunk)
    return checksum


def checksums_of_folder(folder: Path, but: str) -> dict[str, int]:
    """Return the CRC-32 of every file of a folder except `but`, by relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / but)
    return {path.relative_to(folder).as_posix(): checksum_of_file(path) for path in files}


def unusable(path: Path, error: OSError) -> CacheError:
    """Return the error of a cache that cannot be read or written at a path."""
    return cache_error(error, f"the cache cannot be used: {path}")


def cache_error(error: OSError, what: str) -> CacheError:
    """Return an error with its remedy: NoRoom if the disk is full or read-only, else CacheError."""
    kind = NoRoom if error.errno in FULL | {errno.EROFS} else CacheError
    return kind(f"{what}: {error.strerror or error}; {remedy(error)}")


def remedy(error: OSError) -> str:
    """Return what to do if a file of the cache cannot be written."""
    if error.errno in FULL:
        return (
            "free some space (`optical cache list` shows the artifacts, `optical cache prune EXPERIMENT...` removes "
            "those that none of the experiments needs), or name a folder on another disk with --cache-dir or "
            "OPTICAL_CACHE"
        )
    return "correct its permissions, or name another folder with --cache-dir or OPTICAL_CACHE"


def system_error(error: BaseException, folder: Path) -> OSError | None:
    """Return the error of the operating system that made writing a folder fail; None if there is none.

    Libraries hide it: numpy drops the error number, safetensors has it in a text, and torch reports only that a write
    failed. If nothing else shows the error, a small file is written to provoke it.
    """
    if isinstance(error, BrokenPipeError | ConnectionError):
        return None  # not an error of the disk
    if isinstance(error, OSError) and error.errno is not None:
        return error
    for cause in error_chain(error):
        if isinstance(cause, OSError) and cause.errno in FULL:
            return cause
        if found := re.search(r"\(os error (\d+)\)", str(cause)):
            return OSError(int(found[1]), os.strerror(int(found[1])))
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(1 << 16))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as refused:
        return refused
    return None


def error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Iterate over an error, its cause, the cause of its cause, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def not_made(what: str, error: OSError, root: Path, *written: Path) -> CacheError:
    """Return the error of an artifact that could not be made, because of an error of the operating system.

    Args:
        what: kind and label of the artifact.
        root: folder of the cache.
        written: folders that hold an unfinished part of the artifact, whose size the message gives.
    """
    at = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    fault = f"{what} could not be made: {at or root}"
    if error.errno in FULL:
        size = byte_size(sum(map(_bytes_under, written)))
        space = f"{size} of it were written, and {_free(root)}; {remedy(error)}"
        return NoRoom(f"{fault}: {error.strerror or error}: {space}; then run the same command again, which resumes")
    if at is not None and not at.is_relative_to(root):
        return CacheError(f"{fault}: {error.strerror or error}; check that file, and run the same command again")
    return cache_error(error, fault)


def _bytes_under(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # removed meanwhile
            size += path.lstat().st_size
    return size


def _free(root: Path) -> str:
    """Return the free space of the disks that an artifact is written to, in words."""
    free, scratch = f"{byte_size(free_disk(root) or 0)} are free there", Path(tempfile.gettempdir())
    if scratch.stat().st_dev == root.stat().st_dev:
        return free
    return f"{free}, {byte_size(free_disk(scratch) or 0)} in {scratch}, the folder of temporary files"
