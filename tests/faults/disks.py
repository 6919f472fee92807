"""Disks that become full or read-only while a stage runs: one line of error, and the next run succeeds."""

import errno
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults import namespaces
from tests.faults.children import Ended, count_events, run, run_at_event
from tests.faults.outcome import Outcome, Tally, skipped
from tests.faults.stages import Stage, faults_of

ROOM = 1 << 28
PAGE = 4096


def run_full(stage: Stage, fills: int, folder: Path, draw: random.Random) -> Outcome:
    """Let the disk become full after a random part of the stage's artifact is written."""
    what = f"disk full in {stage.name}"
    if reason := namespaces.why_not():
        return skipped(what, reason)
    tally = Tally(what, "disks")
    size = sum(map(len, stage.wanted.values()))
    for number in range(fills):
        free = draw.randint(0, size // PAGE) * PAGE
        ended = run(partial(_on_a_small_disk, stage, folder / f"disk-{number}", free))
        faults = [*ended.result] if ended.code == 0 else [f"ended with {ended.code}: {ended.output}"]
        tally.add(faults, f"{free} bytes free")
    return tally.outcome(f"within the {size:,} bytes of the artifact")


def _on_a_small_disk(stage: Stage, folder: Path, free: int) -> list[str]:
    """Run a stage on a disk with `free` bytes, then with more room, and list what went wrong."""
    namespaces.enter()
    folder.mkdir(parents=True)
    namespaces.small_disk(folder, ROOM)
    cache = stage.fresh_cache(folder / "cache")
    state = os.statvfs(folder)
    namespaces.grow_disk(folder, (state.f_blocks - state.f_bfree) * state.f_frsize + free)
    faults = list(_faults_of_refusal(cache, run(partial(attempt, stage, cache)), "No space left on device"))
    namespaces.grow_disk(folder, ROOM)
    return faults + list(_faults_of_next_run(stage, cache))


def run_read_only(stage: Stage, times: int, folder: Path, draw: random.Random) -> Outcome:
    """Let the cache become read-only at a random access of the stage to a file, and at the first access."""
    what = f"read-only in {stage.name}"
    if reason := namespaces.why_not():
        return skipped(what, reason)
    cache = stage.fresh_cache(folder / "counted")
    events, _ = count_events(partial(stage.obtain, cache), cache)
    tally = Tally(what, "times")
    for number in range(times):
        at = draw.randint(1, events) if number else 1
        ended = run(partial(_on_a_read_only_disk, stage, folder / f"disk-{number}", at))
        faults = [*ended.result] if ended.code == 0 else [f"ended with {ended.code}: {ended.output}"]
        tally.add(faults, f"at access {at}")
    return tally.outcome(f"at one of {events} accesses to files")


def _on_a_read_only_disk(stage: Stage, cache: Path, at: int) -> list[str]:
    namespaces.enter()
    stage.fresh_cache(cache)
    namespaces.bind(cache)

    def seal() -> bool:
        try:
            namespaces.set_read_only(cache, True)
        except OSError as error:
            if error.errno != errno.EBUSY:  # while a file is open for writing; try again at the next access
                raise
            return False
        return True

    ended = run_at_event(partial(attempt, stage, cache), cache, at, seal)
    faults = list(_faults_of_refusal(cache, ended, "Read-only file system"))
    faults += [f"the read-only cache: {fault}" for fault in _faults_while_read_only(cache)]
    namespaces.set_read_only(cache, False)
    return faults + list(_faults_of_next_run(stage, cache))


def _faults_while_read_only(cache: Path) -> Iterator[str]:
    """List commands that fail although they only read the cache."""
    for command in ("list", "verify"):
        ended = run(partial(command_line, "cache", command, "--cache-dir", str(cache)))
        if ended.code != 0:
            yield f"cache {command} ended with {ended.code}: {ended.output}"


def run_read_only_hit(stage: Stage, folder: Path) -> Outcome:
    """Use an artifact in a read-only cache."""
    what = f"read-only, {stage.name} in it"
    if reason := namespaces.why_not():
        return skipped(what, reason)
    tally = Tally(what, "commands")
    ended = run(partial(_used_read_only, stage, folder / "cache"))
    tally.add([*ended.result] if ended.code == 0 else [ended.output], "used")
    return tally.outcome("found, with exit code 0")


def _used_read_only(stage: Stage, cache: Path) -> list[str]:
    namespaces.enter()
    stage.fresh_cache(cache)
    made = run(partial(attempt, stage, cache))
    namespaces.bind(cache)
    namespaces.set_read_only(cache, True)
    ended = run(partial(attempt, stage, cache))
    return [f"{each.code}: {each.output}" for each in (made, ended) if each.code != 0]


def attempt(stage: Stage, cache: Path) -> Any:
    """Run a stage as its command does; without a command, call it and report errors as the command line does."""
    if stage.command:
        return command_line(*stage.command, "--cache-dir", str(cache), "--device", "cpu")
    from optical_cli.cli.edge import _tell

    try:
        return stage.obtain(cache)
    except Exception as error:
        raise SystemExit(_tell(error)) from error


def command_line(*arguments: str) -> None:
    """Run `optical` in this process."""
    import sys

    from optical_cli.cli import main

    sys.argv = ["optical", *arguments]
    main()


def _faults_of_refusal(cache: Path, ended: Ended, reason: str) -> Iterator[str]:
    """List what is wrong with the error of a disk; nothing if the run succeeded because there was room."""
    from optical_cli.cache.store import Cache

    if ended.code == 0:
        return
    errors = [line for line in ended.output.splitlines() if line.startswith("error: ")]
    if ended.code != 2 or len(errors) != 1 or reason not in errors[0] or "Traceback" in ended.output:
        yield f"exit code 2 and one line with {reason!r} expected, found {ended.code}: {ended.output}"
    if "fault of optical" in ended.output:
        yield f"reported as a fault of optical: {ended.output}"
    for entry in Cache(cache).all_entries():
        yield from (f"after the error: {fault}" for fault in entry.faults())


def _faults_of_next_run(stage: Stage, cache: Path) -> Iterator[str]:
    again = run(partial(attempt, stage, cache))
    if again.code != 0:
        yield f"the next run failed: {again.output}"
    elif stage.made(cache) != stage.wanted:
        yield "the next run ended with other bytes"
    yield from faults_of(cache)
