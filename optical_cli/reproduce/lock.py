"""The lock file of an experiment: a record of the inputs, versions and machine that its results depend on.

A changed input is an error, as it changes the experiment. Other versions or another machine may change last digits: a
warning, or an error with `--locked`.
"""

import json
import platform
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from optical_cli.cache.keys import SHORT_DIGITS
from optical_cli.errors import ConfigError, DataError, NotHere, one_line, several
from optical_cli.machine import instruction_limits, instruction_sets, threads
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.inputs import inputs_of

OURS = "optical-cli"
SHOWN = 8
"""Most versions that a message lists."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedInput(_Part):
    """An input of the experiment, as it was locked."""

    source: str
    content: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # SHA-256 of the content that results depend on
    revision: str | None = None  # commit, of an input from the hub


class Machine(_Part):
    """The properties of a machine that last digits depend on."""

    precision: dict[str, str]  # that `auto` chose, for encoding and training
    threads: int  # of torch
    units: tuple[str, ...]  # instruction sets
    limits: dict[str, str]  # environment variables that restrict instruction sets


class Lock(_Part):
    """The inputs, versions and machine that an experiment was run with."""

    format: Literal[1] = 1
    inputs: dict[str, LockedInput]  # by setting, such as `teacher.model`
    python: str
    packages: dict[str, str]  # versions of optical and all its dependencies
    machine: Machine


def lock_of(pipeline: Pipeline, *, revisions: bool = True, fetch: bool = True) -> Lock:
    """Record the inputs, versions and machine that an experiment has now.

    Args:
        revisions: look up the commits of inputs from the hub; needs all inputs on this machine.
        fetch: download missing inputs; otherwise leave them out.

    Raises:
        DataError: an input cannot be read.
    """
    memo = pipeline.cache.fingerprints
    inputs = {}
    for one in inputs_of(pipeline.sources):
        try:
            content = one.fingerprint(memo, fetch=fetch)
        except NotHere:
            continue
        revision = one.local_copy().revision if revisions else None
        inputs[one.key] = LockedInput(source=one.source, content=content, revision=revision)
    machine = Machine(
        precision={"encoding": pipeline.encoding_precision, "training": pipeline.training_precision},
        threads=threads(),
        units=tuple(instruction_sets()),
        limits=instruction_limits(),
    )
    return Lock(inputs=inputs, python=platform.python_version(), packages=installed_versions(), machine=machine)


def write_lock(lock: Lock) -> str:
    """Return the text of the lock file."""
    return json.dumps(lock.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def read_lock(path: Path) -> Lock:
    """Read a lock file; ConfigError if it is no lock file."""
    try:
        return Lock.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        said = several(error.error_count(), "fault") if isinstance(error, ValidationError) else one_line(error)
        raise ConfigError(
            f"{path}: a lock file of format 1 expected, found {said}; `optical lock` writes it again"
        ) from error


def keep_to_lock(path: Path, locked: Lock, now: Lock, remedy: str, *, strict: bool) -> Iterator[str]:
    """Compare the state `now` with the lock file at `path`, and yield a warning for each difference in last digits.

    Args:
        remedy: the command that locks the present state.
        strict: raise DataError for other versions or another machine too.

    Raises:
        DataError: the content of inputs has changed, a line each.
    """
    if faults := list(_other_inputs(path, locked, now, remedy)):
        raise DataError("\n".join(faults))
    differences = [*_other_versions(locked, now), *_other_machine(locked.machine, now.machine)]
    if strict and differences:
        raise DataError("\n".join(f"{path}: {line}" for line in differences))
    yield from (f"{path}: {line}; last digits may differ" for line in differences)


def _other_inputs(path: Path, locked: Lock, now: Lock, remedy: str) -> Iterator[str]:
    """Yield a fault for each input that has changed or is not locked."""
    locks = f"lock the present inputs with `{remedy}`"
    for key, found in now.inputs.items():
        expected = locked.inputs.get(key)
        if expected is None:
            yield f"{path}: {key}: is not in the lock file, found {_in_words(found)}; {locks}"
        elif expected.content != found.content:
            mend = _pinned(key, expected) or "restore the locked input"
            yield f"{path}: {key}: {_in_words(expected)} expected, found {_in_words(found)}; {mend}, or {locks}"


def _in_words(one: LockedInput) -> str:
    at = f" at {one.revision[:SHORT_DIGITS]}" if one.revision else ""
    return f"{one.source}{at} (content {one.content[:SHORT_DIGITS]})"


def _pinned(key: str, locked: LockedInput) -> str:
    """Return how to pin a locked input from the hub; "" for other inputs."""
    if locked.revision is None:
        return ""
    if key.startswith("bitext."):
        return f"set {key}.revision to {locked.revision}"
    return f"set {key} to {locked.source.partition('@')[0]}@{locked.revision}"


def _other_versions(locked: Lock, now: Lock) -> Iterator[str]:
    before, after = ({"python": one.python, **one.packages} for one in (locked, now))
    pairs = {name: (before.get(name, "not installed"), after.get(name, "not installed")) for name in before | after}
    other = [f"{name} {found} ({expected} locked)" for name, (expected, found) in pairs.items() if expected != found]
    if other:
        more = f", and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        yield f"other versions: {', '.join(other[:SHOWN])}{more}"


def _other_machine(locked: Machine, now: Machine) -> Iterator[str]:
    for setting, expected in locked.precision.items():
        if (found := now.precision.get(setting)) != expected:
            mend = f"--set {setting}.precision={expected} restores the locked one"
            yield f"{setting}.precision is {found} ({expected} locked); {mend}"
    if (wanted := locked.threads) != now.threads:
        yield f"another number of threads: {now.threads} ({wanted} locked); set OMP_NUM_THREADS={wanted}"
    if set(locked.units) != set(now.units):
        ours, theirs = (" ".join(one.units) or "unknown" for one in (now, locked))
        yield f"other instruction sets: {ours} ({theirs} locked)"
    if locked.limits != now.limits:
        ours, theirs = (", ".join(map("=".join, one.limits.items())) or "none" for one in (now, locked))
        yield f"other limits on instruction sets: {ours} ({theirs} locked)"


def installed_versions() -> dict[str, str]:
    """Look up the versions of optical and of all packages that it requires, directly or not, by name."""
    return {name: package.version for name, package in installed_packages().items()}


def installed_packages(extras: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """Look up optical with some of its extras, and all packages that it requires, directly or not, by name."""
    found: dict[str, Distribution] = {}
    waiting, seen = [(OURS, extras)], set()
    while waiting:
        name, wanted = waiting.pop()
        name = canonicalize_name(name)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # for another system or Python, or optional
            continue
        for required in map(Requirement, found[name].requires or ()):
            marker = required.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((required.name, tuple(sorted(required.extras))))
    return dict(sorted(found.items()))
