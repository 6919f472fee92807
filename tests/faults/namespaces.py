"""Small disks, read-only folders and other host names for one process, without root, by Linux namespaces."""

import ctypes
import os
import platform
import socket
from pathlib import Path

from optical_cli.cache.manifest import provenance
from tests.faults.children import run

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWUSER = 0x00020000, 0x04000000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Give this process its own mounts and host name. It must have one thread only.

    Raises:
        OSError: the system does not allow user namespaces.
    """
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)


def small_disk(folder: Path, size: int) -> None:
    """Mount an empty disk of `size` bytes on a folder."""
    _mount("tmpfs", str(folder), "tmpfs", 0, f"size={size}")


def grow_disk(folder: Path, size: int) -> None:
    """Change the size of the disk on a folder to `size` bytes."""
    _mount("none", str(folder), None, MS_REMOUNT, f"size={size}")


def bind(folder: Path) -> None:
    """Mount a folder on itself, so that it can be made read-only."""
    _mount(str(folder), str(folder), None, MS_BIND)


def set_read_only(folder: Path, read_only: bool) -> None:
    """Make a bound folder read-only, or writable again.

    Raises:
        OSError: a file in it is open for writing.
    """
    _mount("none", str(folder), None, MS_REMOUNT | MS_BIND | (MS_RDONLY if read_only else 0))


def set_host(name: str) -> None:
    """Change the host name of this process."""
    socket.sethostname(name)
    provenance.cache_clear()
    platform._uname_cache = None  # Python caches the host name


def why_not() -> str | None:
    """Return why this system does not allow user namespaces; None if it does."""
    ended = run(enter)
    return None if ended.code == 0 else (ended.output.strip().splitlines() or ["killed"])[-1]


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = (None if text is None else text.encode() for text in (source, target, kind))
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode()))


def _check(code: int) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
