"""The store: folders named for what they hold, complete once their manifest is there."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from optical_cli.cache.artifact import KINDS, Artifact, Damaged, artifact_in
from optical_cli.cache.building import UNFINISHED, Build, Building, clear, work_of
from optical_cli.cache.disk import unusable
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.cache.keys import SHORT_DIGITS, Key
from optical_cli.cache.locks import Locks
from optical_cli.cache.manifest import MANIFEST
from optical_cli.cache.notes import Making, Notes

_NAMED = re.compile(rf"-[0-9a-f]{{{SHORT_DIGITS}}}$")


class Cache:
    """Artifacts by key, under one root folder.

    Args:
        root: the folder; it is made when the first artifact is.
        on_wait: called with an artifact's label when another process is making it and this one waits.
    """

    def __init__(self, root: Path, on_wait: Callable[[str], None] = lambda _label: None) -> None:
        self.root = root
        self.fingerprints = Fingerprints(root / "fingerprints")
        self.notes = Notes(root)
        self._locks = Locks(root / "locks", on_wait)

    def find(self, kind: str, key: Key) -> Artifact | None:
        """The artifact of a key, or None if it has yet to be made.

        Raises:
            CacheError: the cache cannot be read, or the artifact is damaged, as far as `Artifact.checked` looks.
        """
        for place in self._places(kind, f"*-{key.short}"):
            entry = artifact_in(place, kind)
            if isinstance(entry, Damaged) or (entry is not None and entry.manifest["key"] == key.digest):
                return entry.checked()
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
        if found is None:
            work = work_of(kind, key)
            with self._locks.take(work, label):
                found = self.find(kind, key)
                if found is None:
                    with self.notes.making(kind, label, key.digest, work):
                        return Building(self.root, kind, label, key, self.notes).run(build), True
        self.tidy(kind, key)
        return found, False

    def in_the_making(self) -> Iterator[tuple[Making, bool]]:
        """What other processes are making, and whether each still is: a killed one leaves its note behind."""
        for name, making in self.notes.all_making():
            yield making, self._locks.is_taken(name)

    def unfinished(self, kind: str, key: Key) -> Path:
        """Where the work on an artifact may keep what the next try can use; gone when the artifact is complete."""
        return self.root / UNFINISHED / work_of(kind, key)

    def tidy(self, kind: str, key: Key) -> None:
        """Remove what a process that was killed just after it had finished an artifact has left beside it."""
        work, unfinished = work_of(kind, key), self.unfinished(kind, key)
        if (unfinished.exists() or self.notes.is_noted(work)) and not self._locks.is_taken(work):
            shutil.rmtree(unfinished, ignore_errors=True)
            self.notes.forget(work)

    def entries(self, *kinds: str) -> Iterator[Artifact]:
        """Every complete artifact that says what it is, or those of some kinds, by kind and name."""
        return (entry for entry in self.all_entries(*kinds) if isinstance(entry, Artifact))

    def all_entries(self, *kinds: str) -> Iterator[Artifact | Damaged]:
        """The same with those among them that cannot say it."""
        for kind in kinds or KINDS:
            for place in self._places(kind, "*"):
                entry = artifact_in(place, kind)
                if entry is not None:
                    yield entry

    def made_from(self, *entries: Artifact | Damaged) -> list[Artifact]:
        """Every artifact that was made from one of these, or from one that was."""
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
