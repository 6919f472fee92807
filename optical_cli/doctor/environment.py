"""Checks of packages, Ray, the cache folder, the network and the inputs of an experiment."""

import os
import platform
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import groupby
from pathlib import Path

from packaging.requirements import Requirement

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment
from optical_cli.doctor.finding import Finding
from optical_cli.errors import ConfigError, DataError, NotHere, byte_size
from optical_cli.machine import free_disk
from optical_cli.pipeline.inputs import Input, inputs_of
from optical_cli.pipeline.looks import Look, looks_of
from optical_cli.pipeline.sources import Sources

OURS = "optical-cli"
NAMED = ("torch", "sentence-transformers", "transformers", "pot", "ranx", "numba", "numpy", "bm25s", "ir_datasets")
OLDEST = (3, 11)

LITTLE_ROOM = 5e9
"""Bytes. An index of 50,000 passages of 100 tokens and 384 dimensions takes 4 GB."""
ANOTHER_FOLDER = "choose another folder with --cache-dir or OPTICAL_CACHE"

OFFLINE = ("OPTICAL_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
SECONDS = 4.0


def look_at_packages() -> Iterator[Finding]:
    """Check the version of Python, and that all required packages are installed in the required versions."""
    python = f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}"
    if sys.version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield Finding("python", "fault", python, f"install optical for Python {oldest} or later")
    else:
        yield Finding("python", "ok", python)
    if faults := [fault for text in requires(OURS) or () for fault in _faults_of(Requirement(text))]:
        yield Finding("packages", "fault", "; ".join(faults), f"run: pip install --upgrade {OURS}")
    else:
        there = ", ".join(f"{name} {found}" for name in (OURS, *NAMED) if (found := _version(name)))
        yield Finding("packages", "ok", there)


def _faults_of(wanted: Requirement) -> list[str]:
    """List what is wrong with a requirement; nothing if it belongs to an extra, or to another Python or system."""
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return []
    found = _version(wanted.name)
    if found is None:
        return [f"{wanted.name} is not installed"]
    if not wanted.specifier.contains(found, prereleases=True):
        return [f"{wanted.name}{wanted.specifier} expected, found {found}"]
    return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def look_at_ray() -> Finding:
    """Check whether Ray is installed, and whether a cluster answers at RAY_ADDRESS; starts nothing."""
    installed = _version("ray")
    if installed is None:
        return Finding("ray", "ok", "not installed; only --engine ray needs it (pip install 'optical-cli[ray]')")
    found, address = f"ray {installed}", os.environ.get("RAY_ADDRESS")
    if not address:
        return Finding("ray", "ok", f"{found}; --engine ray starts a cluster on this machine")
    from optical_cli.cluster import check_address

    try:
        check_address(address)
    except ConfigError as error:
        return Finding("ray", "warning", f"{found}; RAY_ADDRESS={address}", str(error))
    return Finding("ray", "ok", f"{found}; --engine ray uses the cluster at RAY_ADDRESS={address}")


def look_at_cache(root: Path) -> Finding:
    """Check that a folder can hold artifacts, by temporary files."""
    there = next(path for path in (root, *root.parents) if path.exists())
    if not there.is_dir():
        return Finding("cache", "fault", f"{root}: a folder expected, but {there} is a file", ANOTHER_FOLDER)
    try:
        with tempfile.TemporaryDirectory(dir=there, prefix=".doctor-") as scratch:
            fault = _fault_in(Path(scratch))
    except OSError as error:
        return Finding("cache", "fault", f"{there} cannot be written: {error.strerror or error}", ANOTHER_FOLDER)
    if fault:
        return Finding("cache", "fault", f"{root}: {fault}", f"{ANOTHER_FOLDER}, on a local disk")
    free = free_disk(there)
    room = "free space unknown" if free is None else f"{byte_size(free)} free"
    found = f"{root}: {room}, writable, file locks work"
    if free is not None and free < LITTLE_ROOM:
        mend = f"remove what is not needed with `optical cache prune EXPERIMENT...`, or {ANOTHER_FOLDER}"
        return Finding("cache", "warning", found, mend)
    return Finding("cache", "ok", found)


def _fault_in(scratch: Path) -> str | None:
    """Describe what the cache needs and the file system of this folder lacks; None if nothing."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(scratch / "a.lock", timeout=0):
            try:
                with FileLock(scratch / "a.lock", timeout=0):
                    return "file locks have no effect"
            except Timeout:
                pass
    except (OSError, NotImplementedError) as error:
        return f"files cannot be locked ({error})"
    made = scratch / "made"
    made.mkdir()
    (made / "file").write_bytes(b"whole")
    with (made / "file").open("rb") as file:
        os.fsync(file)
    made.rename(scratch / "renamed")
    return None if (scratch / "renamed" / "file").read_bytes() == b"whole" else "a renamed folder loses its files"


def look_at_network(url: str | None = None, seconds: float = SECONDS) -> Finding:
    """Check that the hub answers, unless downloads are off; `url` None for that of huggingface_hub."""
    if off := [f"{name}={os.environ[name]}" for name in OFFLINE if _is_on(os.environ.get(name, ""))]:
        return Finding("network", "ok", f"off ({', '.join(off)}): nothing is downloaded")
    if url is None:
        from huggingface_hub import constants

        url = constants.ENDPOINT
    refusal = _refusal(url, seconds)
    if refusal is None:
        return Finding("network", "ok", f"{url} answers")
    mend = "check HTTPS_PROXY and HF_ENDPOINT; to work without a network, use --offline"
    return Finding("network", "warning", f"{url} does not answer: {refusal}", mend)


def _is_on(value: str) -> bool:
    return value.strip().upper() in {"1", "ON", "YES", "TRUE"}  # as huggingface_hub reads it


def _refusal(url: str, seconds: float) -> str | None:
    """Return why no server answers; None if one does, even with an error."""
    said: list[str | None] = [f"no answer in {seconds:g} s"]

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the hub's own address, or the user's
        try:
            urllib.request.urlopen(request, timeout=seconds).close()  # noqa: S310
            said[0] = None
        except urllib.error.HTTPError:
            said[0] = None
        except (OSError, ValueError) as error:
            said[0] = str(getattr(error, "reason", error))

    asking = threading.Thread(target=ask, daemon=True)  # a name server may take minutes, in spite of the timeout
    asking.start()
    asking.join(seconds + 1)
    return said[0]


def look_at_inputs(x: Experiment, memo: Fingerprints, name: str) -> Iterator[Finding]:
    """Check that the inputs of an experiment are on this machine, then their content; downloads nothing."""
    sources, faults = Sources(x, memo, fetch=False), set()
    for one in inputs_of(sources):
        found = _look_at(one, name)
        faults.add(found.found)
        yield found
    with sources.downloads():
        for key, looks in groupby(looks_of(sources), lambda look: look.key):
            yield from _look_into(key, looks, faults)


def _look_into(key: str, looks: Iterable[Look], faults: set[str]) -> Iterator[Finding]:
    """Yield a finding for the data of a setting that are as expected, and one for each doubt and new fault."""
    expected = []
    for look in looks:
        try:
            seen = look.see()
        except NotHere:  # a finding of its input says so
            continue
        except DataError as error:
            if str(error) not in faults:
                faults.add(str(error))
                yield Finding(f"{key}: {look.name}", "fault", str(error), "correct the data that the setting names")
            continue
        if seen.doubt:
            yield Finding(f"{key}: {look.name}", "warning", seen.found, seen.doubt)
        else:
            expected.append(seen.found)
    if expected:
        yield Finding(f"{key}: data", "ok", "; ".join(expected))


def _look_at(one: Input, name: str) -> Finding:
    try:
        held = one.local_copy()
    except NotHere:
        return Finding(one.key, "warning", f"{one.source} is not on this machine", f"run `optical fetch {name}`")
    except DataError as error:
        return Finding(one.key, "fault", str(error), f"correct {one.key} in {name}, or the files it names")
    at = f" at {held.revision}" if held.revision else ""
    size = "" if held.size is None else f", {byte_size(held.size)}"
    return Finding(one.key, "ok", f"{one.source}{at}: {held.place}{size}")
