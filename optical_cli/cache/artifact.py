"""Artifacts of the cache, and entries whose manifest is damaged."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from optical_cli.cache.keys import SHORT_DIGITS, canonical_json
from optical_cli.cache.manifest import file_faults, read_manifest, surplus_faults
from optical_cli.errors import CacheError

KINDS = (
    "encodings",
    "states",
    "strengths",
    "checkpoints",
    "translations",
    "indexes",
    "quantized",
    "runs",
    "scores",
    "alignments",
)
READ_WHOLE = frozenset(("scores",))
"""Kinds whose content is verified at every use: they are small, and their values are reported."""
Health = Mapping[str, Any]
_DIGEST = re.compile(r'"([0-9a-f]{64})"')


@dataclass(frozen=True)
class Artifact:
    """A complete folder of the cache, with its manifest."""

    kind: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def key_digits(self) -> str:
        """The first digits of the key, which end the folder's name."""
        return str(self.manifest["key"])[:SHORT_DIGITS]

    @property
    def input_digits(self) -> set[str]:
        """The first digits of every digest in the key material."""
        return {digest[:SHORT_DIGITS] for digest in _DIGEST.findall(canonical_json(self.manifest["material"]))}

    @property
    def size(self) -> int:
        """Size of the files in bytes, without the manifest."""
        return sum(int(file["size"]) for file in self.manifest["files"].values())

    def checked(self, *, digests: bool = False) -> "Artifact":
        """Verify the artifact before its use, and return it.

        Args:
            digests: verify the content of the files. If False, only sizes are, except for the kinds in `READ_WHOLE`.

        Raises:
            CacheError: a file is damaged.
        """
        for fault in file_faults(self.folder, self.manifest, digests=digests or self.kind in READ_WHOLE):
            raise _damaged(self.folder, fault)
        return self

    def faults(self) -> list[str]:
        """Return the faults of the artifact, one line each; reads all of its files."""
        faults, kind = [], self.manifest.get("kind", self.kind)
        if not self.folder.name.endswith(f"-{self.key_digits}"):
            faults.append(f"{self.folder}: its name does not end with the key in its manifest, {self.manifest['key']}")
        if kind != self.kind:
            faults.append(f"{self.folder}: is in {self.kind}/, but belongs in {kind}/ according to its manifest")
        faults += file_faults(self.folder, self.manifest, digests=True)
        return [*faults, *surplus_faults(self.folder, self.manifest)]


@dataclass(frozen=True)
class Damaged:
    """An entry of the cache without a usable manifest; it may be a folder, a link or a file."""

    kind: str
    folder: Path
    reason: str

    def checked(self, *, digests: bool = False) -> NoReturn:  # noqa: ARG002 - the signature of Artifact
        """Raise CacheError with the reason."""
        raise _damaged(self.folder, self.reason)

    def faults(self) -> list[str]:
        """Return the reason, in a list."""
        return [self.reason]


def artifact_in(place: Path, kind: str) -> Artifact | Damaged | None:
    """Return the entry of the cache at a path; None for a folder without a manifest, which is not complete."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:  # removed by another process
        return None
    if not stat.S_ISDIR(mode):
        # a link could lead out of the cache, to files that others may change
        return Damaged(kind, place, f"{place}: expected a folder, found a {'link' if stat.S_ISLNK(mode) else 'file'}")
    try:
        manifest = read_manifest(place)
    except CacheError as error:
        return Damaged(kind, place, str(error))
    return None if manifest is None else Artifact(kind, place, manifest)


def _damaged(folder: Path, fault: str) -> CacheError:
    return CacheError(
        f"damaged artifact: {fault}; run `optical cache remove {folder.name}`, and then the command again"
    )
