"""The store: folders named for what they hold, complete once their manifest is there."""

import os
import re
import shutil
import stat
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optical_cli.cache.atomic import sync, sync_folder
from optical_cli.cache.disk import chain_of, not_made, size_of, system_error, unusable
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.cache.keys import SHORT_DIGITS, Key, canonical_json
from optical_cli.cache.making import Making, Notes
from optical_cli.cache.manifest import (
    MANIFEST,
    MANIFEST_FORMAT,
    describe_files,
    file_faults,
    read_manifest,
    surplus_faults,
    write_manifest,
)
from optical_cli.cache.provenance import provenance
from optical_cli.errors import CacheError, ClusterError, OpticalError, OutOfTime

UNFINISHED = "unfinished"
KINDS = ("encodings", "checkpoints", "translations", "indexes", "quantized", "runs", "scores", "alignments")
READ_WHOLE = frozenset(("scores",))
"""Kinds that are compared with their digests at every use: small, and what ends in tables."""

Health = Mapping[str, Any]
Build = Callable[[Path], Health]

_DIGEST = re.compile(r'"([0-9a-f]{64})"')
_NAMED = re.compile(rf"-[0-9a-f]{{{SHORT_DIGITS}}}$")


@dataclass(frozen=True)
class Artifact:
    """A complete folder of the cache and its manifest."""

    kind: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def key_digits(self) -> str:
        """The first digits of its key, as folder names carry them."""
        return str(self.manifest["key"])[:SHORT_DIGITS]

    @property
    def size(self) -> int:
        """Bytes of the artifact's files, the manifest left out."""
        return sum(int(file["size"]) for file in self.manifest["files"].values())


@dataclass(frozen=True)
class Damaged:
    """A place of the cache whose manifest cannot be used, so that nobody can say what its files are.

    Attributes:
        kind: its folder in the cache.
        folder: the place; a link or a file may stand there.
        reason: what is wrong with it.
    """

    kind: str
    folder: Path
    reason: str


class Cache:
    """Artifacts by key, under one root folder.

    Args:
        root: the folder; it is made when the first artifact is.
        on_wait: called with an artifact's label when another process is making it and this one waits.
    """

    def __init__(self, root: Path, on_wait: Callable[[str], None] = lambda _label: None) -> None:
        self.root = root
        self._on_wait = on_wait
        self.fingerprints = Fingerprints(root / "fingerprints")
        self.notes = Notes(root)

    def find(self, kind: str, key: Key) -> Artifact | None:
        """The artifact of a key, or None if it has yet to be made.

        Raises:
            CacheError: the cache cannot be read, or the artifact is damaged as far as that shows without reading its
                files; those of `READ_WHOLE` are read.
        """
        for place in self._places(kind, f"*-{key.short}"):
            entry = _entry(kind, place)
            if isinstance(entry, Damaged) or (entry is not None and entry.manifest["key"] == key.digest):
                return self.check(entry)
        return None

    def check(self, entry: Artifact | Damaged, *, digests: bool = False) -> Artifact:
        """An artifact that is about to be used.

        Raises:
            CacheError: it is damaged, as far as `find` looks; with `digests`, in any byte.
        """
        if isinstance(entry, Damaged):
            raise _damaged(entry, entry.reason)
        for fault in file_faults(entry.folder, entry.manifest, digests=digests or entry.kind in READ_WHOLE):
            raise _damaged(entry, fault)
        return entry

    def make(self, kind: str, label: str, key: Key, build: Build) -> tuple[Artifact, bool]:
        """The artifact of a key and whether this call made it.

        `build` fills an empty folder and returns its health. One process builds a key; others that want
        the same one wait for it. If `build` raises, nothing is left but what it keeps under `unfinished`, and that
        only if it was stopped and not refused.

        Raises:
            CacheError: the cache cannot be read or written.
        """
        found = self.find(kind, key)
        if found is None:
            with self._lock(kind, label, key):
                found = self.find(kind, key)
                if found is None:
                    with self.notes.making(kind, label, key.digest, _work(kind, key)):
                        return self._build(kind, label, key, build), True
        self.tidy(kind, key)
        return found, False

    def in_the_making(self) -> Iterator[tuple[Making, bool]]:
        """What other processes are making, and whether each still is: a killed one leaves its note behind."""
        for name, making in self.notes.all_making():
            yield making, self._is_locked(name)

    def unfinished(self, kind: str, key: Key) -> Path:
        """Where the work on an artifact may keep what the next try can use; gone when the artifact is complete."""
        return self.root / UNFINISHED / _work(kind, key)

    def tidy(self, kind: str, key: Key) -> None:
        """Remove what a process that was killed just after it had finished an artifact has left beside it."""
        work, unfinished = _work(kind, key), self.unfinished(kind, key)
        if (unfinished.exists() or self.notes.is_noted(work)) and not self._is_locked(work):
            shutil.rmtree(unfinished, ignore_errors=True)
            self.notes.forget(work)

    def entries(self, *kinds: str) -> Iterator[Artifact]:
        """Every complete artifact that says what it is, or those of some kinds, by kind and name."""
        return (entry for entry in self.all_entries(*kinds) if isinstance(entry, Artifact))

    def all_entries(self, *kinds: str) -> Iterator[Artifact | Damaged]:
        """The same with those among them that cannot say it."""
        for kind in kinds or KINDS:
            for place in self._places(kind, "*"):
                entry = _entry(kind, place)
                if entry is not None:
                    yield entry

    def verify(self, entry: Artifact | Damaged) -> list[str]:
        """What is wrong with an artifact, a line each; every byte of it is read."""
        if isinstance(entry, Damaged):
            return [entry.reason]
        folder, manifest = entry.folder, entry.manifest
        faults = []
        if not folder.name.endswith(f"-{entry.key_digits}"):
            faults.append(f"{folder}: named for another key than that of its manifest, {manifest['key']}")
        if manifest.get("kind", entry.kind) != entry.kind:
            faults.append(f"{folder}: lies in {entry.kind}/, and its manifest has it in {manifest['kind']}/")
        return [
            *faults,
            *file_faults(folder, manifest, digests=True),
            *surplus_faults(folder, manifest),
        ]

    def made_from(self, *entries: Artifact | Damaged) -> list[Artifact]:
        """Every artifact that was made from one of these, or from one that was."""
        sources = {entry.folder.name[-SHORT_DIGITS:] for entry in entries}
        left = [(artifact, _inputs(artifact)) for artifact in self.entries() if artifact.key_digits not in sources]
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
            _clear(entry.folder)
        except OSError as error:
            raise unusable(entry.folder, error) from error

    def _places(self, kind: str, pattern: str) -> list[Path]:
        """What lies where artifacts of a kind do, and is named as one."""
        try:
            with os.scandir(self.root / kind):
                pass
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unusable(self.root / kind, error) from error
        return sorted(path for path in (self.root / kind).glob(pattern) if _NAMED.search(path.name))

    def _lock(self, kind: str, label: str, key: Key) -> AbstractContextManager[Any]:
        from filelock import FileLock, Timeout  # not needed, and 50 ms, when everything is cached

        folder = self.root / "locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{_work(kind, key)}.lock")
            try:
                return lock.acquire(timeout=0)
            except Timeout:
                self._on_wait(label)
                return lock.acquire()
        except OSError as error:
            raise unusable(folder, error) from error
        except NotImplementedError as error:
            raise CacheError(f"the cache cannot be used: {folder}: {error}; give a folder with --cache-dir") from error

    def _is_locked(self, name: str) -> bool:
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.root / "locks" / f"{name}.lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False

    def _build(self, kind: str, label: str, key: Key, build: Build) -> Artifact:
        target = self.root / kind / f"{safe_label(label)}-{key.short}"
        temporary = target.with_name(f".{target.name}.partial")
        try:
            # the lock is ours: whatever lies here was left by a process that was killed
            _clear(temporary)
            _clear(target)
            temporary.mkdir(parents=True)
        except OSError as error:
            raise unusable(temporary, error) from error
        try:
            started = time.monotonic()
            health = build(temporary)
            manifest = _manifest(kind, label, key, temporary, time.monotonic() - started, health)
            sync_folder(temporary)
            write_manifest(temporary, manifest)
            temporary.rename(target)
            sync(target.parent)
        except BaseException as error:
            told = self._told(error, kind, label, key, temporary)
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(told, Exception) and not isinstance(told, OutOfTime):
                reason = str(told) if isinstance(told, OpticalError) else f"{type(told).__name__}: {told}"
                self.notes.failed(kind, label, key.digest, _work(kind, key), reason)
            if isinstance(told, OpticalError) and not isinstance(told, OutOfTime | CacheError | ClusterError):
                shutil.rmtree(self.unfinished(kind, key), ignore_errors=True)  # it would be refused again
            if told is error:
                raise
            raise told from error
        shutil.rmtree(self.unfinished(kind, key), ignore_errors=True)
        self.notes.forget(_work(kind, key))
        return Artifact(kind, target, manifest)

    def _told(self, error: BaseException, kind: str, label: str, key: Key, temporary: Path) -> BaseException:
        """What a build failed of, as its user is told it: a disk that refuses is no fault of the stage."""
        if isinstance(error, OpticalError) or not isinstance(error, Exception):
            return error
        said = system_error(error, temporary)
        if said is None:
            return error
        told = not_made(f"{kind}/{label}", said, self.root, size_of(temporary, self.unfinished(kind, key)))
        for one in chain_of(error):
            traceback.clear_frames(one.__traceback__)  # a file that a frame holds open takes room when it is deleted
        return told


def safe_label(label: str) -> str:
    """A label as part of a folder name: letters, digits, dot, dash and underscore, at most 80."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-")[:80] or "artifact"


def _work(kind: str, key: Key) -> str:
    """What locks, savepoints and notes of an artifact in the making are named."""
    return f"{kind}-{key.short}"


def _manifest(kind: str, label: str, key: Key, folder: Path, seconds: float, health: Health) -> dict[str, Any]:
    return {
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


def _entry(kind: str, place: Path) -> Artifact | Damaged | None:
    """What a place holds; None if it is a folder without a manifest, which does not count."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:  # another process has just removed it
        return None
    if not stat.S_ISDIR(mode):
        # a link could lead out of the cache, and to what others may change
        return Damaged(kind, place, f"{place}: a folder expected, a {'link' if stat.S_ISLNK(mode) else 'file'} found")
    try:
        manifest = read_manifest(place)
    except CacheError as error:
        return Damaged(kind, place, str(error))
    return None if manifest is None else Artifact(kind, place, manifest)


def _inputs(artifact: Artifact) -> set[str]:
    """The first digits of every digest that an artifact's material names."""
    return {digest[:SHORT_DIGITS] for digest in _DIGEST.findall(canonical_json(artifact.manifest["material"]))}


def _clear(place: Path) -> None:
    """Remove what lies in a place, without following a link."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)


def _damaged(entry: Artifact | Damaged, fault: str) -> CacheError:
    return CacheError(
        f"damaged artifact: {fault}; `optical cache remove {entry.folder.name}` and run again to have it made anew"
    )
