"""Python and the packages: are they those that this version of optical asks for?"""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from optical_cli.doctor.finding import Finding

OURS = "optical-cli"
NAMED = ("torch", "sentence-transformers", "transformers", "pot", "ranx", "numba", "numpy", "bm25s", "ir_datasets")
OLDEST = (3, 11)


def look_at_packages() -> Iterator[Finding]:
    """Python, the packages that compute, and those that are missing or of a version that was not tried."""
    yield _python()
    faults = [fault for text in requires(OURS) or () for fault in _faults_of(Requirement(text))]
    there = ", ".join(f"{name} {found}" for name in (OURS, *NAMED) if (found := _version(name)))
    if faults:
        yield Finding("packages", "fault", "; ".join(faults), f"install again: pip install --upgrade {OURS}")
    else:
        yield Finding("packages", "ok", there)


def _python() -> Finding:
    found = f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}"
    if sys.version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Finding("python", "fault", found, f"Python {oldest} or later is needed: make an environment of it")
    return Finding("python", "ok", found)


def _faults_of(wanted: Requirement) -> list[str]:
    """What is wrong with a requirement; nothing with one of an extra, or of another Python or system."""
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return []
    found = _version(wanted.name)
    if found is None:
        return [f"{wanted.name} is not installed"]
    if not wanted.specifier.contains(found, prereleases=True):
        return [f"{wanted.name} {found} is installed, {wanted.specifier} wanted"]
    return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
