"""Where an artifact came from: versions, commit, machine. Written into manifests, never into keys."""

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "optical-cli",
    "torch",
    "sentence-transformers",
    "transformers",
    "numpy",
    "numba",
    "pot",
    "ranx",
    "bm25s",
    "ir_datasets",
)


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """Versions of Python and of the packages that compute, the git commit of this code, and the host."""
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
    """The commit of the checkout this package runs from, with `-dirty` if it was changed; else None."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607 - git as the user has it
            cwd=root, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() or None
