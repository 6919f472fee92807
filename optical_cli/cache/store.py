"""The store: artifacts by key. Each is made by one process at a time, and complete once its manifest is there."""

import re
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import KINDS, Artifact, Damaged, Health, artifact_in
from optical_cli.cache.files import chain_of, clear, not_made, sync, sync_folder, system_error, unusable
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.cache.keys import SHORT_DIGITS, Key
from optical_cli.cache.manifest import MANIFEST, MANIFEST_FORMAT, describe_files, provenance, write_manifest
from optical_cli.cache.notes import Making, Notes
from optical_cli.errors import CacheError, ClusterError, OpticalError, OutOfTime

UNFINISHED = "unfinished"
Build = Callable[[Path], Health]
_NAMED = re.compile(rf"-[0-9a-f]{{{SHORT_DIGITS}}}$")


class Cache:
    """Artifacts by key, under one root folder, which is made when the first of them is.

    `on_wait` is called with an artifact's label when another process is making it and this one waits.
    """

    def __init__(self, root: Path, on_wait: Callable[[str], None] = lambda _label: None) -> None:
        self.root = root
        self.fingerprints = Fingerprints(root / "fingerprints")
        self.notes = Notes(root)
        self._locks = root / "locks"
        self._on_wait = on_wait

    def find(self, kind: str, key: Key) -> Artifact | None:
        """The artifact of a key, or None if it has yet to be made; CacheError if `Artifact.checked` finds damage."""
        for place in self._places(kind, f"-{key.short}"):
            entry = artifact_in(place, kind)
            if isinstance(entry, Damaged) or (entry is not None and entry.manifest["key"] == key.digest):
                return entry.checked()
        return None

    def make(self, kind: str, label: str, key: Key, build: Build) -> tuple[Artifact, bool]:
        """The artifact of a key and whether this call made it; CacheError if the cache cannot be read or written.

        `build` fills an empty folder and returns its health. One process builds a key; others that want the same one
        wait for it. If `build` was stopped, what it keeps under `unfinished` is left; if it was refused, nothing.
        """
        found, work = self.find(kind, key), _work_of(kind, key)
        if found is None:
            with self._lock(work, label):
                found = self.find(kind, key)
                if found is None:
                    with self.notes.making(kind, label, key.digest, work):
                        return self._build(kind, label, key, build), True
        self.tidy(kind, key)
        return found, False

    def in_the_making(self) -> Iterator[tuple[Making, bool]]:
        """What other processes are making, and whether each still is: a killed one leaves its note behind."""
        for name, making in self.notes.all_making():
            yield making, self._is_locked(name)

    def unfinished(self, kind: str, key: Key) -> Path:
        """Where the work on an artifact may keep what the next try can use; gone when the artifact is complete."""
        return self.root / UNFINISHED / _work_of(kind, key)

    def tidy(self, kind: str, key: Key) -> None:
        """Remove what a process left that was killed just after it had finished an artifact."""
        work, unfinished = _work_of(kind, key), self.unfinished(kind, key)
        if (unfinished.exists() or self.notes.is_noted(work)) and not self._is_locked(work):
            shutil.rmtree(unfinished, ignore_errors=True)
            self.notes.forget(work)

    def entries(self, *kinds: str) -> Iterator[Artifact]:
        """Every complete artifact, or those of some kinds, by kind and name."""
        return (entry for entry in self.all_entries(*kinds) if isinstance(entry, Artifact))

    def all_entries(self, *kinds: str) -> Iterator[Artifact | Damaged]:
        """Like `entries`, but including damaged artifacts."""
        for kind in kinds or KINDS:
            for place in self._places(kind):
                if (entry := artifact_in(place, kind)) is not None:
                    yield entry

    def made_from(self, *entries: Artifact | Damaged) -> list[Artifact]:
        """Every artifact that was made from these, directly or through others."""
        sources = {entry.folder.name[-SHORT_DIGITS:] for entry in entries}
        left = [(artifact, artifact.input_digits) for artifact in self.entries() if artifact.key_digits not in sources]
        found: list[Artifact] = []
        while made := [artifact for artifact, inputs in left if inputs & sources]:
            found += made
            sources = {artifact.key_digits for artifact in made}
            left = [(artifact, inputs) for artifact, inputs in left if artifact.key_digits not in sources]
        return found

    def remove(self, entry: Artifact | Damaged) -> None:
        """Delete an artifact: its manifest first, so that a half-deleted folder is not taken for one."""
        try:
            entry.folder.lstat()
            manifest = entry.folder / MANIFEST
            if not entry.folder.is_symlink() and (manifest.is_symlink() or manifest.is_file()):
                manifest.unlink()
            clear(entry.folder)
        except OSError as error:
            raise unusable(entry.folder, error) from error

    def _places(self, kind: str, ending: str = "") -> list[Path]:
        """What is named as an artifact of a kind."""
        folder = self.root / kind
        try:
            places = [path for path in folder.iterdir() if path.name.endswith(ending) and _NAMED.search(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unusable(folder, error) from error
        return sorted(places)

    def _lock(self, work: str, label: str) -> AbstractContextManager[Any]:
        """Take the lock of some work, as soon as no other process has it; CacheError if the disk allows no locks."""
        from filelock import FileLock, Timeout  # 50 ms, and not needed when everything is cached

        folder = self._locks
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{work}.lock")
            try:
                return lock.acquire(timeout=0)
            except Timeout:
                self._on_wait(label)
                return lock.acquire()
        except OSError as error:
            raise unusable(folder, error) from error
        except NotImplementedError as error:
            raise CacheError(f"the cache cannot be used: {folder}: {error}; give a folder with --cache-dir") from error

    def _is_locked(self, work: str) -> bool:
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._locks / f"{work}.lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False

    def _build(self, kind: str, label: str, key: Key, build: Build) -> Artifact:
        """Build an artifact in a hidden folder beside its place, and put it there when it has its manifest."""
        work, unfinished = _work_of(kind, key), self.unfinished(kind, key)
        place = self.root / kind / f"{safe_label(label)}-{key.short}"
        temporary = place.with_name(f".{place.name}.partial")
        try:
            clear(temporary)  # the lock is ours, so what lies in the way was left by a process that was killed
            clear(place)
            temporary.mkdir(parents=True)
        except OSError as error:
            raise unusable(temporary, error) from error
        try:
            manifest = _fill(temporary, kind, label, key, build)
            temporary.rename(place)
            sync(place.parent)
        except BaseException as error:
            told = self._told(error, f"{kind}/{label}", temporary, unfinished)
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(told, Exception) and not isinstance(told, OutOfTime):
                reason = str(told) if isinstance(told, OpticalError) else f"{type(told).__name__}: {told}"
                self.notes.failed(kind, label, key.digest, work, reason)
            if isinstance(told, OpticalError) and not isinstance(told, OutOfTime | CacheError | ClusterError):
                shutil.rmtree(unfinished, ignore_errors=True)  # refused and not stopped, so it would be refused again
            if told is error:
                raise
            raise told from error
        shutil.rmtree(unfinished, ignore_errors=True)
        self.notes.forget(work)
        return Artifact(kind, place, manifest)

    def _told(self, error: BaseException, what: str, *written: Path) -> BaseException:
        """The error that is raised for that of a build: a disk that refuses is no fault of the stage."""
        if isinstance(error, OpticalError) or not isinstance(error, Exception):
            return error
        if (said := system_error(error, written[0])) is None:
            return error
        told = not_made(what, said, self.root, *written)
        for one in chain_of(error):
            traceback.clear_frames(one.__traceback__)  # a deleted file takes room while a frame holds it open
        return told


def _fill(folder: Path, kind: str, label: str, key: Key, build: Build) -> dict[str, Any]:
    """Build into a folder, and write its manifest when all else is on the disk."""
    started = time.monotonic()
    health = build(folder)
    seconds = time.monotonic() - started
    manifest = {
        "format": MANIFEST_FORMAT,
        "kind": kind,
        "label": label,
        "key": key.digest,
        "material": key.material,
        "files": describe_files(folder),
        "health": dict(health),
        "seconds": round(seconds, 3),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **provenance(),
    }
    sync_folder(folder)
    write_manifest(folder, manifest)
    return manifest


def _work_of(kind: str, key: Key) -> str:
    """The name of the lock, savepoints and notes of an artifact in the making."""
    return f"{kind}-{key.short}"


def safe_label(label: str) -> str:
    """A label as part of a folder name: letters, digits, dot, dash and underscore, at most 80."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-")[:80] or "artifact"
