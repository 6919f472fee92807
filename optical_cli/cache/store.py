"""The cache: artifacts by key. One process makes an artifact at a time; its manifest, written last, completes it."""

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
from optical_cli.cache.files import clear, error_chain, not_made, sync, sync_folder, system_error, unusable
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.cache.keys import SHORT_DIGITS, Key
from optical_cli.cache.manifest import MANIFEST, MANIFEST_FORMAT, describe_files, provenance, write_manifest
from optical_cli.cache.notes import Making, Notes
from optical_cli.errors import CacheError, ClusterError, OpticalError, OutOfTime

UNFINISHED = "unfinished"
Build = Callable[[Path], Health]
_NAMED = re.compile(rf"-[0-9a-f]{{{SHORT_DIGITS}}}$")


class Cache:
    """Artifacts by key, in a root folder that is created for the first of them.

    `on_wait` is called with the label of an artifact if this process waits for another one that is making it.
    """

    def __init__(self, root: Path, on_wait: Callable[[str], None] = lambda _label: None) -> None:
        self.root = root
        self.fingerprints = Fingerprints(root / "fingerprints")
        self.notes = Notes(root)
        self._locks = root / "locks"
        self._on_wait = on_wait

    def find(self, kind: str, key: Key) -> Artifact | None:
        """Return the artifact of a key; None if it is not in the cache. CacheError if it is damaged."""
        for place in self._places(kind, f"-{key.short}"):
            entry = artifact_in(place, kind)
            if isinstance(entry, Damaged) or (entry is not None and entry.manifest["key"] == key.digest):
                return entry.checked()
        return None

    def make(self, kind: str, label: str, key: Key, build: Build) -> tuple[Artifact, bool]:
        """Return the artifact of a key, and whether this call made it.

        `build` fills an empty folder and returns the health for the manifest. One process builds an artifact; others
        that need it wait. The files of `unfinished` are kept if `build` was stopped, and removed if it raised an
        error that the next attempt would raise again.

        Raises:
            CacheError: the cache cannot be read or written, or the artifact is damaged.
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
        """Iterate over the artifacts that processes are making, and whether each process is still running."""
        for name, making in self.notes.all_making():
            yield making, self._is_locked(name)

    def unfinished(self, kind: str, key: Key) -> Path:
        """Return the folder for partial results that the next attempt can use; removed with a complete artifact."""
        return self.root / UNFINISHED / _work_of(kind, key)

    def tidy(self, kind: str, key: Key) -> None:
        """Remove partial results and notes of a process that was killed just after it had completed an artifact."""
        work, unfinished = _work_of(kind, key), self.unfinished(kind, key)
        if (unfinished.exists() or self.notes.is_noted(work)) and not self._is_locked(work):
            shutil.rmtree(unfinished, ignore_errors=True)
            self.notes.forget(work)

    def entries(self, *kinds: str) -> Iterator[Artifact]:
        """Iterate over the complete artifacts, of all kinds or of those given, by kind and name."""
        return (entry for entry in self.all_entries(*kinds) if isinstance(entry, Artifact))

    def all_entries(self, *kinds: str) -> Iterator[Artifact | Damaged]:
        """Iterate like `entries`, but including damaged artifacts."""
        for kind in kinds or KINDS:
            for place in self._places(kind):
                if (entry := artifact_in(place, kind)) is not None:
                    yield entry

    def made_from(self, *entries: Artifact | Damaged) -> list[Artifact]:
        """Return all artifacts that were made from these, directly or through others."""
        sources = {entry.folder.name[-SHORT_DIGITS:] for entry in entries}
        left = [(artifact, artifact.input_digits) for artifact in self.entries() if artifact.key_digits not in sources]
        found: list[Artifact] = []
        while made := [artifact for artifact, inputs in left if inputs & sources]:
            found += made
            sources = {artifact.key_digits for artifact in made}
            left = [(artifact, inputs) for artifact, inputs in left if artifact.key_digits not in sources]
        return found

    def remove(self, entry: Artifact | Damaged) -> None:
        """Delete an artifact: its manifest first, so that a half-deleted folder does not count as complete."""
        try:
            entry.folder.lstat()
            manifest = entry.folder / MANIFEST
            if not entry.folder.is_symlink() and (manifest.is_symlink() or manifest.is_file()):
                manifest.unlink()
            clear(entry.folder)
        except OSError as error:
            raise unusable(entry.folder, error) from error

    def _places(self, kind: str, ending: str = "") -> list[Path]:
        """Return the paths that are named like artifacts of a kind."""
        folder = self.root / kind
        try:
            places = [path for path in folder.iterdir() if path.name.endswith(ending) and _NAMED.search(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unusable(folder, error) from error
        return sorted(places)

    def _lock(self, work: str, label: str) -> AbstractContextManager[Any]:
        """Acquire the lock of an artifact, waiting for other processes; CacheError if the disk has no locks."""
        from filelock import FileLock, Timeout  # takes 50 ms, and is not needed if everything is cached

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
            raise CacheError(
                f"the cache cannot be used: {folder}: {error}; name a folder on another disk with --cache-dir"
            ) from error

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
        """Build an artifact in a hidden folder beside its final one, and rename it when its manifest is written."""
        work, unfinished = _work_of(kind, key), self.unfinished(kind, key)
        place = self.root / kind / f"{safe_label(label)}-{key.short}"
        temporary = place.with_name(f".{place.name}.partial")
        try:
            clear(temporary)  # this process has the lock, so these were left by a killed process
            clear(place)
            temporary.mkdir(parents=True)
        except OSError as error:
            raise unusable(temporary, error) from error
        try:
            manifest = _fill(temporary, kind, label, key, build)
            temporary.rename(place)
            sync(place.parent)
        except BaseException as error:
            reported = self._reported(error, f"{kind}/{label}", temporary, unfinished)
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(reported, Exception) and not isinstance(reported, OutOfTime):
                error_type = "" if isinstance(reported, OpticalError) else f"{type(reported).__name__}: "
                reason = f"{error_type}{reported}"
                self.notes.failed(kind, label, key.digest, work, reason)
            if isinstance(reported, OpticalError) and not isinstance(reported, OutOfTime | CacheError | ClusterError):
                shutil.rmtree(unfinished, ignore_errors=True)  # the next attempt would raise the same error
            if reported is error:
                raise
            raise reported from error
        shutil.rmtree(unfinished, ignore_errors=True)
        self.notes.forget(work)
        return Artifact(kind, place, manifest)

    def _reported(self, error: BaseException, what: str, *written: Path) -> BaseException:
        """Return the error to raise for an error of a build: errors of the disk become CacheErrors."""
        if isinstance(error, OpticalError) or not isinstance(error, Exception):
            return error
        if (cause := system_error(error, written[0])) is None:
            return error
        reported = not_made(what, cause, self.root, *written)
        for link in error_chain(error):
            traceback.clear_frames(link.__traceback__)  # an open file in a frame takes disk space even when deleted
        return reported


def _fill(folder: Path, kind: str, label: str, key: Key, build: Build) -> dict[str, Any]:
    """Build an artifact in a folder, flush it to the disk, and write its manifest."""
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
    """Return the name of the lock, partial results and notes of an artifact."""
    return f"{kind}-{key.short}"


def safe_label(label: str) -> str:
    """Return a label as part of a folder name: at most 80 letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-")[:80] or "artifact"
