"""Files of the cache: written whole or not at all, checksums of unfinished ones, and the disk's errors in words."""

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
    """Write a small file so that a reader sees the old or the new one; CacheError if its folder cannot be written."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        with temporary.open("x", encoding="utf-8") as file:  # not mkstemp: the umask says who may read it
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
    """Push every file of a folder, and the folder itself, to the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Push a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some file systems write names at once and cannot sync a folder
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def clear(place: Path) -> None:
    """Remove a file, a folder or a link, without following it."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)


def checksum_of_file(path: Path, size: int | None = None) -> int:
    """The CRC-32 of a file's first bytes, of all if no size is given: quicker than a digest, and shows disk errors."""
    checksum, left = 0, path.stat().st_size if size is None else size
    with path.open("rb") as file:
        while chunk := file.read(min(1 << 20, left)):
            checksum = zlib.crc32(chunk, checksum)
            left -= len(chunk)
    return checksum


def checksums_of_folder(folder: Path, but: str) -> dict[str, int]:
    """The CRC-32 of every file of a folder but one, by its path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / but)
    return {path.relative_to(folder).as_posix(): checksum_of_file(path) for path in files}


def unusable(path: Path, error: OSError) -> CacheError:
    """The error of a cache that cannot be read or written at some path."""
    return cache_error(error, f"the cache cannot be used: {path}")


def cache_error(error: OSError, what: str) -> CacheError:
    """The error of what could not be done, and its remedy: NoRoom if the disk takes nothing more, else CacheError."""
    kind = NoRoom if error.errno in FULL | {errno.EROFS} else CacheError
    return kind(f"{what}: {error.strerror or error}; {remedy(error)}")


def remedy(error: OSError) -> str:
    """What to do when a file of the cache cannot be written."""
    if error.errno in FULL:
        return (
            "make room (`optical cache list` shows what is there, `optical cache prune EXPERIMENT...` removes what "
            "none of these needs) or give a folder on another disk with --cache-dir or OPTICAL_CACHE"
        )
    return "mend its permissions or give another folder with --cache-dir or OPTICAL_CACHE"


def system_error(error: BaseException, folder: Path) -> OSError | None:
    """The error of the operating system behind one that came up while a folder was filled; None if there is none.

    Libraries hide it: numpy forgets the number, safetensors has it in a text, torch says only that a write failed. So
    a small file is written where nothing else tells.
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
            probe.write(bytes(1 << 16))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as refused:
        return refused
    return None


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def not_made(what: str, error: OSError, root: Path, *written: Path) -> CacheError:
    """The error of an artifact of which the folders `written` could be filled in part, or whose input not be read."""
    at = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    said = f"{what} could not be made: {at or root}"
    if error.errno in FULL:
        size = byte_size(sum(map(_bytes_under, written)))
        room = f"{size} of it were written, and {_free(root)}; {remedy(error)}"
        return NoRoom(f"{said}: {error.strerror or error}: {room}; the same command goes on then")
    if at is not None and not at.is_relative_to(root):
        return CacheError(f"{said}: {error.strerror or error}; mend that and run the same command again")
    return cache_error(error, said)


def _bytes_under(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            size += path.lstat().st_size
    return size


def _free(root: Path) -> str:
    """How much is free on the disks that an artifact is written to."""
    said, scratch = f"{byte_size(free_disk(root) or 0)} are free there", Path(tempfile.gettempdir())
    if scratch.stat().st_dev == root.stat().st_dev:
        return said
    return f"{said}, {byte_size(free_disk(scratch) or 0)} in {scratch}, where temporary files are"
