"""Locks: what one process makes, the others wait for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from optical_cli.cache.disk import unusable
from optical_cli.errors import CacheError


class Locks:
    """The locks of a cache, one for each artifact in the making, as all processes that use it see them.

    Args:
        folder: where they are; it is made when the first one is taken.
        on_wait: called with an artifact's label when another process holds its lock and this one waits.
    """

    def __init__(self, folder: Path, on_wait: Callable[[str], None]) -> None:
        self._folder = folder
        self._on_wait = on_wait

    def take(self, name: str, label: str) -> AbstractContextManager[Any]:
        """Take a lock, when no other process has it any more.

        Args:
            name: of the lock.
            label: of the artifact.

        Raises:
            CacheError: the folder cannot be written, or its file system has no locks.
        """
        from filelock import FileLock, Timeout  # not needed, and 50 ms, when everything is cached

        folder = self._folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._path(name))
            try:
                return lock.acquire(timeout=0)
            except Timeout:
                self._on_wait(label)
                return lock.acquire()
        except OSError as error:
            raise unusable(folder, error) from error
        except NotImplementedError as error:
            raise CacheError(f"the cache cannot be used: {folder}: {error}; give a folder with --cache-dir") from error

    def is_taken(self, name: str) -> bool:
        """Whether a process has it."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._path(name), timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"
