"""How an artifact comes to be: built in a hidden folder beside its place, and put there when it has its manifest."""

import re
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Artifact, Health
from optical_cli.cache.atomic import sync, sync_folder
from optical_cli.cache.disk import chain_of, not_made, size_of, system_error, unusable
from optical_cli.cache.keys import Key
from optical_cli.cache.manifest import MANIFEST_FORMAT, describe_files, write_manifest
from optical_cli.cache.notes import Notes
from optical_cli.cache.provenance import provenance
from optical_cli.errors import CacheError, ClusterError, OpticalError, OutOfTime

UNFINISHED = "unfinished"

Build = Callable[[Path], Health]


@dataclass(frozen=True)
class Building:
    """An artifact that this process builds, while it holds the lock of its key.

    Attributes:
        root: of the cache.
        kind: the artifact's folder there.
        label: what it is, readable.
        key: what it depends on.
        notes: of the cache.
    """

    root: Path
    kind: str
    label: str
    key: Key
    notes: Notes

    @property
    def work(self) -> str:
        """What its lock, its savepoints and its notes are named."""
        return work_of(self.kind, self.key)

    @property
    def unfinished(self) -> Path:
        """Where the work keeps what the next try can use."""
        return self.root / UNFINISHED / self.work

    def run(self, build: Build) -> Artifact:
        """Build it. If `build` raises, nothing is left but what may stay under `unfinished`.

        Raises:
            CacheError: the cache cannot be written.
        """
        place = self.root / self.kind / f"{safe_label(self.label)}-{self.key.short}"
        temporary = place.with_name(f".{place.name}.partial")
        self._make_way(temporary, place)
        try:
            manifest = self._fill(temporary, build)
            temporary.rename(place)
            sync(place.parent)
        except BaseException as error:
            told = self._told(error, temporary)
            shutil.rmtree(temporary, ignore_errors=True)
            self._note_failure(told)
            if told is error:
                raise
            raise told from error
        shutil.rmtree(self.unfinished, ignore_errors=True)
        self.notes.forget(self.work)
        return Artifact(self.kind, place, manifest)

    def _make_way(self, temporary: Path, place: Path) -> None:
        """Clear what lies in the way; the lock is ours, so it was left by a process that was killed."""
        try:
            clear(temporary)
            clear(place)
            temporary.mkdir(parents=True)
        except OSError as error:
            raise unusable(temporary, error) from error

    def _fill(self, folder: Path, build: Build) -> dict[str, Any]:
        """Build into a folder, and write its manifest when all else is on the disk."""
        started = time.monotonic()
        health = build(folder)
        manifest = self._manifest(folder, time.monotonic() - started, health)
        sync_folder(folder)
        write_manifest(folder, manifest)
        return manifest

    def _manifest(self, folder: Path, seconds: float, health: Health) -> dict[str, Any]:
        return {
            "format": MANIFEST_FORMAT,
            "kind": self.kind,
            "label": self.label,
            "key": self.key.digest,
            "material": self.key.material,
            "files": describe_files(folder),
            "health": dict(health),
            "seconds": round(seconds, 3),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **provenance(),
        }

    def _told(self, error: BaseException, temporary: Path) -> BaseException:
        """What a build failed of, as its user is told it: a disk that refuses is no fault of the stage."""
        if isinstance(error, OpticalError) or not isinstance(error, Exception):
            return error
        said = system_error(error, temporary)
        if said is None:
            return error
        told = not_made(f"{self.kind}/{self.label}", said, self.root, size_of(temporary, self.unfinished))
        for one in chain_of(error):
            traceback.clear_frames(one.__traceback__)  # a file that a frame holds open takes room when it is deleted
        return told

    def _note_failure(self, error: BaseException) -> None:
        """Note why it failed; work that was refused, and not stopped, leaves nothing for the next try."""
        if isinstance(error, Exception) and not isinstance(error, OutOfTime):
            reason = str(error) if isinstance(error, OpticalError) else f"{type(error).__name__}: {error}"
            self.notes.failed(self.kind, self.label, self.key.digest, self.work, reason)
        if isinstance(error, OpticalError) and not isinstance(error, OutOfTime | CacheError | ClusterError):
            shutil.rmtree(self.unfinished, ignore_errors=True)  # it would be refused again


def work_of(kind: str, key: Key) -> str:
    """What locks, savepoints and notes of an artifact in the making are named."""
    return f"{kind}-{key.short}"


def safe_label(label: str) -> str:
    """A label as part of a folder name: letters, digits, dot, dash and underscore, at most 80."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip("._-")[:80] or "artifact"


def clear(place: Path) -> None:
    """Remove what lies in a place, without following a link."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)
