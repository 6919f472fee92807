"""An artifact of the cache, or a place in it that is too damaged to say what it holds."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from optical_cli.cache.keys import SHORT_DIGITS, canonical_json
from optical_cli.cache.manifest import file_faults, read_manifest, surplus_faults
from optical_cli.errors import CacheError

KINDS = ("encodings", "checkpoints", "translations", "indexes", "quantized", "runs", "scores", "alignments")
READ_WHOLE = frozenset(("scores",))
"""Kinds whose digests are checked at every use: small, and what ends in tables."""
Health = Mapping[str, Any]
_DIGEST = re.compile(r'"([0-9a-f]{64})"')


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
    def input_digits(self) -> set[str]:
        """The first digits of every digest in its key material."""
        return {digest[:SHORT_DIGITS] for digest in _DIGEST.findall(canonical_json(self.manifest["material"]))}

    @property
    def size(self) -> int:
        """Bytes of its files without the manifest."""
        return sum(int(file["size"]) for file in self.manifest["files"].values())

    def checked(self, *, digests: bool = False) -> "Artifact":
        """This artifact, before it is used; CacheError if sizes are wrong, or (`digests`, `READ_WHOLE`) any byte."""
        for fault in file_faults(self.folder, self.manifest, digests=digests or self.kind in READ_WHOLE):
            raise _damaged(self.folder, fault)
        return self

    def faults(self) -> list[str]:
        """What is wrong with it, a line each; reads every byte of it."""
        faults, kind = [], self.manifest.get("kind", self.kind)
        if not self.folder.name.endswith(f"-{self.key_digits}"):
            faults.append(f"{self.folder}: named for another key than that of its manifest, {self.manifest['key']}")
        if kind != self.kind:
            faults.append(f"{self.folder}: lies in {self.kind}/, and its manifest has it in {kind}/")
        faults += file_faults(self.folder, self.manifest, digests=True)
        return [*faults, *surplus_faults(self.folder, self.manifest)]


@dataclass(frozen=True)
class Damaged:
    """A place of the cache whose manifest cannot be used; a link or a file may stand there."""

    kind: str
    folder: Path
    reason: str

    def checked(self, *, digests: bool = False) -> NoReturn:  # noqa: ARG002 - as of an artifact
        """Raise CacheError."""
        raise _damaged(self.folder, self.reason)

    def faults(self) -> list[str]:
        """What is wrong with it."""
        return [self.reason]


def artifact_in(place: Path, kind: str) -> Artifact | Damaged | None:
    """What a place holds; None for a folder without a manifest, which is no artifact yet."""
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


def _damaged(folder: Path, fault: str) -> CacheError:
    return CacheError(
        f"damaged artifact: {fault}; `optical cache remove {folder.name}` and run again to have it made anew"
    )
