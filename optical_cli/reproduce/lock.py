"""The lock of an experiment: a file beside it that says what its figures came from.

An input with another content is refused: the experiment would be another one. Other versions and another machine move
last digits: the user is warned of them, and `--locked` refuses them.
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
from optical_cli.errors import ConfigError, DataError, NotHere
from optical_cli.machine import instruction_limits, instruction_sets, threads
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.inputs import inputs_of

OURS = "optical-cli"
SHOWN = 8
"""Differences of versions that a line tells; the others are counted."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedInput(_Part):
    """An input, under the name that the experiment gives it."""

    source: str
    content: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # SHA-256 of what of it decides a result
    revision: str | None = None  # the commit of what came from the hub


class Machine(_Part):
    """What a machine decides, and what its last digits follow from."""

    precision: dict[str, str]  # what `auto` came to, by setting
    threads: int  # that torch computes on
    units: tuple[str, ...]  # instruction sets
    limits: dict[str, str]  # environment variables that keep libraries from using them


class Lock(_Part):
    """What an experiment was run with."""

    format: Literal[1] = 1
    inputs: dict[str, LockedInput]  # by the setting that names them
    python: str
    packages: dict[str, str]  # the versions of optical and of all that it needs
    machine: Machine


def lock_of(pipeline: Pipeline, *, revisions: bool = True, fetch: bool = True) -> Lock:
    """Lock what the experiment of a pipeline would be run with here and now.

    Args:
        revisions: look up the commits of inputs from the hub; needs all inputs on this machine.
        fetch: download missing inputs; else they are left out.

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
    """The content of the lock file."""
    return json.dumps(lock.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def read_lock(path: Path) -> Lock:
    """Read what `write_lock` wrote; a ConfigError if the file is something else."""
    try:
        return Lock.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        said = f"{error.error_count()} faults" if isinstance(error, ValidationError) else " ".join(str(error).split())
        raise ConfigError(f"{path}: a lock of format 1 expected ({said}); `optical lock` writes it anew") from error


def keep_to_lock(path: Path, locked: Lock, now: Lock, remedy: str, *, strict: bool) -> Iterator[str]:
    """Compare what is here `now` with the lock in `path`, and yield what may move last digits.

    Args:
        remedy: the command that locks what is here.
        strict: refuse other versions and another machine.

    Raises:
        DataError: an input has another content, a line each; or what `strict` refuses.
    """
    if faults := list(_other_inputs(path, locked, now, remedy)):
        raise DataError("\n".join(faults))
    differences = [*_other_versions(locked, now), *_other_machine(locked.machine, now.machine)]
    if strict and differences:
        raise DataError("\n".join(f"{path}: {line}" for line in differences))
    yield from (f"{path}: {line}; last digits may differ" for line in differences)


def _other_inputs(path: Path, locked: Lock, now: Lock, remedy: str) -> Iterator[str]:
    """Yield a fault for each input with another content; an input that the experiment no longer has is none."""
    locks = f"`{remedy}` locks what is here now"
    for key, found in now.inputs.items():
        expected = locked.inputs.get(key)
        if expected is None:
            yield f"{path}: {key}: not locked, found {_in_words(found)}; {locks}"
        elif expected.content != found.content:
            mend = _pinned(key, expected) or "put back what was locked"
            yield f"{path}: {key}: {_in_words(expected)} expected, found {_in_words(found)}; {mend}, or {locks}"


def _in_words(one: LockedInput) -> str:
    at = f" at {one.revision[:SHORT_DIGITS]}" if one.revision else ""
    return f"{one.source}{at} (content {one.content[:SHORT_DIGITS]})"


def _pinned(key: str, locked: LockedInput) -> str:
    """How to get what was locked from the hub again; "" if it did not come from there."""
    if locked.revision is None:
        return ""
    if key.startswith("bitext."):
        return f"set {key}.revision to {locked.revision}"
    return f"set {key} to {locked.source.partition('@')[0]}@{locked.revision}"


def _other_versions(locked: Lock, now: Lock) -> Iterator[str]:
    before, after = ({"python": one.python, **one.packages} for one in (locked, now))
    pairs = {name: (before.get(name, "not there"), after.get(name, "not there")) for name in before | after}
    other = [f"{name} {found} ({expected} locked)" for name, (expected, found) in pairs.items() if expected != found]
    if other:
        more = f", and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        yield f"other versions: {', '.join(other[:SHOWN])}{more}"


def _other_machine(locked: Machine, now: Machine) -> Iterator[str]:
    for setting, expected in locked.precision.items():
        if (found := now.precision.get(setting)) != expected:
            said = f"{setting}.precision: {expected} was locked, and this machine takes {found}"
            yield f"{said}; --set {setting}.precision={expected} takes the other"
    if (wanted := locked.threads) != now.threads:
        yield f"another number of threads: {now.threads} ({wanted} locked); set OMP_NUM_THREADS={wanted}"
    if set(locked.units) != set(now.units):
        ours, theirs = (" ".join(one.units) or "none told" for one in (now, locked))
        yield f"other instruction sets: {ours} ({theirs} locked)"
    if locked.limits != now.limits:
        ours, theirs = (", ".join(map("=".join, one.limits.items())) or "none" for one in (now, locked))
        yield f"other limits to instruction sets: {ours} ({theirs} locked)"


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
        except PackageNotFoundError:  # of another system or Python, or optional
            continue
        for required in map(Requirement, found[name].requires or ()):
            marker = required.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((required.name, tuple(sorted(required.extras))))
    return dict(sorted(found.items()))
