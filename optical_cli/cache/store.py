"""The store: folders named for what they hold, complete once their manifest is there."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optical_cli.cache.atomic import sync_folder, write_text
from optical_cli.cache.fingerprints import Fingerprints, sha256_of_file
from optical_cli.cache.keys import SHORT_DIGITS, Key
from optical_cli.cache.making import Making, Notes
from optical_cli.cache.provenance import provenance
from optical_cli.errors import CacheError, OpticalError, OutOfTime

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
UNFINISHED = "unfinished"
KINDS = ("encodings", "checkpoints", "indexes", "runs", "scores", "alignments")

Health = Mapping[str, Any]
Build = Callable[[Path], Health]


@dataclass(frozen=True)
class Artifact:
    """A complete folder of the cache and its manifest."""

    kind: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Bytes of the artifact's files, the manifest left out."""
        return sum(int(file["size"]) for file in self.manifest["files"].values())


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
            CacheError: the cache cannot be read, or a file of the artifact is missing or has another size.
        """
        for folder in self._folders(kind, f"*-{key.short}"):
            artifact = _read(kind, folder)
            if artifact is not None and artifact.manifest["key"] == key.digest:
                _check_sizes(artifact)
                return artifact
        return None

    def make(self, kind: str, label: str, key: Key, build: Build) -> tuple[Artifact, bool]:
        """The artifact of a key and whether this call made it.

        `build` fills an empty folder and returns its health. One process builds a key; others that want
        the same one wait for it. If `build` raises, nothing is left but what it keeps under `unfinished`, and that
        only if it was stopped and not refused.

        Raises:
            CacheError: the cache cannot be read or written.
        """
        found = self.find(kind, key)
        if found is not None:
            return found, False
        with self._lock(kind, label, key):
            found = self.find(kind, key)
            if found is not None:
                return found, False
            with self.notes.making(kind, label, key.digest, _work(kind, key)):
                return self._build(kind, label, key, build), True

    def in_the_making(self) -> Iterator[tuple[Making, bool]]:
        """What other processes are making, and whether each still is: a killed one leaves its note behind."""
        for name, making in self.notes.all_making():
            yield making, self._is_locked(name)

    def unfinished(self, kind: str, key: Key) -> Path:
        """Where the work on an artifact may keep what the next try can use; gone when the artifact is complete."""
        return self.root / UNFINISHED / _work(kind, key)

    def entries(self, *kinds: str) -> Iterator[Artifact]:
        """Every complete artifact, or those of some kinds, by kind and name."""
        for kind in kinds or KINDS:
            for folder in self._folders(kind, "*"):
                artifact = _read(kind, folder)
                if artifact is not None:
                    yield artifact

    def verify(self, artifact: Artifact) -> list[str]:
        """What is wrong with an artifact, a line each: files missing, of another size or another digest."""
        faults = _size_faults(artifact)
        for name, recorded in artifact.manifest["files"].items():
            path = artifact.folder / name
            if not faults and sha256_of_file(path) != recorded["sha256"]:
                faults.append(f"{path}: its content is not what was written (SHA-256 differs)")
        return faults

    def remove(self, artifact: Artifact) -> None:
        """Delete an artifact: its manifest first, so that a half-deleted folder is not taken for one."""
        try:
            (artifact.folder / MANIFEST).unlink()
            shutil.rmtree(artifact.folder)
        except OSError as error:
            raise _unusable(artifact.folder, error) from error

    def _folders(self, kind: str, pattern: str) -> list[Path]:
        try:
            with os.scandir(self.root / kind):
                pass
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(self.root / kind, error) from error
        # a link could lead out of the cache
        return sorted(p for p in (self.root / kind).glob(pattern) if p.is_dir() and not p.is_symlink())

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
            raise _unusable(folder, error) from error

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
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(target, ignore_errors=True)
            temporary.mkdir(parents=True)
        except OSError as error:
            raise _unusable(temporary, error) from error
        try:
            started = time.monotonic()
            health = build(temporary)
            manifest = _manifest(kind, label, key, temporary, time.monotonic() - started, health)
            try:
                sync_folder(temporary)
                write_text(temporary / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
                temporary.rename(target)
            except OSError as error:
                raise _unusable(target, error) from error
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, Exception) and not isinstance(error, OutOfTime):
                reason = str(error) if isinstance(error, OpticalError) else f"{type(error).__name__}: {error}"
                self.notes.failed(kind, label, key.digest, _work(kind, key), reason)
            if isinstance(error, OpticalError) and not isinstance(error, OutOfTime | CacheError):
                shutil.rmtree(self.unfinished(kind, key), ignore_errors=True)  # it would be refused again
            raise
        shutil.rmtree(self.unfinished(kind, key), ignore_errors=True)
        self.notes.forget_failure(_work(kind, key))
        return Artifact(kind, target, manifest)


def safe_label(label: str) -> str:
    """A label as part of a folder name: letters, digits, dot, dash and underscore, at most 80."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-")[:80] or "artifact"


def _work(kind: str, key: Key) -> str:
    """What locks, savepoints and notes of an artifact in the making are named."""
    return f"{kind}-{key.short}"


def _manifest(kind: str, label: str, key: Key, folder: Path, seconds: float, health: Health) -> dict[str, Any]:
    files = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": sha256_of_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {
        "format": MANIFEST_FORMAT,
        "kind": kind,
        "label": label,
        "key": key.digest,
        "material": key.material,
        "files": files,
        "health": dict(health),
        "seconds": round(seconds, 3),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **provenance(),
    }


def _read(kind: str, folder: Path) -> Artifact | None:
    if not re.search(rf"-[0-9a-f]{{{SHORT_DIGITS}}}$", folder.name):
        return None
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != MANIFEST_FORMAT:
            raise CacheError(
                f"{path}: format {MANIFEST_FORMAT} expected, {manifest['format']} found; another version of "
                "optical wrote it: use that one, or another --cache-dir"
            )
        files = manifest["files"]
        for field in ("key", "label", "health", "seconds", "created"):
            manifest[field]
        for recorded in files.values():
            int(recorded["size"]), str(recorded["sha256"])
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise CacheError(f"{path}: names a file outside its folder; remove {folder}")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CacheError(f"{path}: not a manifest ({error}); remove the folder to have it made again") from error
    except OSError as error:
        raise _unusable(path, error) from error
    return Artifact(kind, folder, manifest)


def _size_faults(artifact: Artifact) -> list[str]:
    faults = []
    for name, recorded in artifact.manifest["files"].items():
        path = artifact.folder / name
        try:
            size = path.stat().st_size
        except OSError:
            faults.append(f"{path}: missing")
            continue
        if size != recorded["size"]:
            faults.append(f"{path}: {recorded['size']} bytes expected, {size} found")
    return faults


def _check_sizes(artifact: Artifact) -> None:
    faults = _size_faults(artifact)
    if faults:
        raise CacheError(
            f"damaged artifact: {faults[0]}; `optical cache remove {artifact.folder.name}` "
            "and run again to have it made anew"
        )


def _unusable(path: Path, error: OSError) -> CacheError:
    return CacheError(
        f"the cache cannot be used: {path}: {error.strerror or error}; "
        "mend its permissions or give another folder with --cache-dir or OPTICAL_CACHE"
    )
