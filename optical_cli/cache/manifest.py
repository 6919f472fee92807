"""The manifest of an artifact: its key material, the versions and host that made it, and the digests of its files.

The last line of a manifest is the SHA-256 of everything before it, which reveals any damage; early manifests have no
such line. The key is checked against the material in every manifest.
"""

import hashlib
import json
import platform
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optical_cli.cache.files import write_text
from optical_cli.cache.fingerprints import sha256_of_file
from optical_cli.cache.keys import key_of
from optical_cli.errors import CacheError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
_LAST_LINE = re.compile(rb',\n  "sha256": "([0-9a-f]{64})"\n\}\n\Z')
_WITHOUT_DIGEST = frozenset(
    ("format", "kind", "label", "key", "material", "files", "health", "seconds", "created", "versions", "git", "host")
)
"""Fields of early manifests, which had no digest. A manifest with other fields and without a digest is damaged."""
PACKAGES = (
    "optical-cli", "torch", "sentence-transformers", "transformers", "numpy", "numba", "pot", "ranx", "bm25s",
    "ir_datasets",
)  # fmt: skip


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a folder; CacheError if the folder cannot be written."""
    text = json.dumps(content, indent=2, ensure_ascii=False).removesuffix("\n}")
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_text(folder / MANIFEST, f'{text},\n  "sha256": "{digest}"\n}}\n')


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Read the manifest of a folder; None if there is none. CacheError if it is damaged or has another format."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
        last = _LAST_LINE.search(text)
        if last is not None and hashlib.sha256(text[: last.start()]).hexdigest() != last[1].decode():
            raise CacheError(f"{path}: its content is not what was written (SHA-256 differs)")
        manifest = json.loads(text)
        _check_content(path, manifest)
        if last is None and not manifest.keys() <= _WITHOUT_DIGEST:
            raise CacheError(f"{path}: its content is not what was written (the SHA-256 at its end is missing)")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise CacheError(f"{path}: not a manifest ({error})") from error
    except OSError as error:
        raise CacheError(f"{path}: cannot be read ({error.strerror or error})") from error
    return {name: value for name, value in manifest.items() if name != "sha256"}


def _check_content(path: Path, manifest: Mapping[str, Any]) -> None:
    if manifest["format"] != MANIFEST_FORMAT:
        raise CacheError(
            f"{path}: expected format {MANIFEST_FORMAT}, found {manifest['format']}; another version of optical "
            "wrote it: use that version, or another --cache-dir"
        )
    str(manifest["label"]), str(manifest["created"]), float(manifest["seconds"]), manifest["health"].items()
    manifest["material"]["stage"]
    for name, recorded in manifest["files"].items():
        int(recorded["size"]), str(recorded["sha256"])
        if b"\0" in name.encode():  # half a surrogate pair is no name either, and a ValueError
            raise ValueError(f"the file name {name!r}")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise CacheError(f"{path}: names a file outside its folder")
    if key_of(manifest["material"]).digest != manifest["key"]:
        raise CacheError(f"{path}: its key does not match its material")


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of every file in a folder, for its manifest."""
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256_of_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def file_faults(folder: Path, manifest: Mapping[str, Any], *, digests: bool) -> Iterator[str]:
    """Iterate over differences between an artifact's files and its manifest; contents are compared with `digests`."""
    linked = {parent for name in manifest["files"] for parent in Path(name).parents if (folder / parent).is_symlink()}
    yield from (f"{folder / parent}: expected a folder, found a link" for parent in sorted(linked))
    for name, recorded in manifest["files"].items():
        if linked.isdisjoint(Path(name).parents) and (fault := _file_fault(folder / name, recorded, digests)):
            yield f"{folder / name}: {fault}"


def surplus_faults(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Iterate over files that the manifest does not list, which may change what is loaded from the folder."""
    known = {folder / path for name in (MANIFEST, *manifest["files"]) for path in (name, *Path(name).parents)}
    for path in sorted(folder.rglob("*")):
        if path not in known and (path.is_symlink() or not path.is_dir()):
            yield f"{path}: was not written with the artifact"


def _file_fault(path: Path, recorded: Mapping[str, Any], digest: bool) -> str | None:
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            what = "link" if stat.S_ISLNK(found.st_mode) else "folder" if stat.S_ISDIR(found.st_mode) else "device"
            return f"expected a file, found a {what}"  # a link could lead out of the cache
        if found.st_size != recorded["size"]:
            return f"expected {recorded['size']} bytes, found {found.st_size}"
        if digest and sha256_of_file(path) != recorded["sha256"]:
            return "its content is not what was written (SHA-256 differs)"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return None


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """Return the versions of Python and packages, the git commit of this code, and the host; never part of a key."""
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "git": _commit(),
        "host": {"name": platform.node(), "machine": platform.machine(), "system": platform.system()},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the git commit of this code, with `-dirty` if it was changed; None outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607 - the user's git
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
