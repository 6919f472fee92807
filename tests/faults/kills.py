"""Kill stages at random: finished artifacts must be intact, and the next run must end with the same bytes."""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.children import Ended, count_events, die, run, run_at_event, run_killed_after
from tests.faults.outcome import Outcome, Tally
from tests.faults.stages import Stage, faults_of

Kill = Callable[[Callable[[], Any], Path], Ended]
"""Runs a function that works in a folder, and kills it."""


def run_kills(stage: Stage, kills: int, folder: Path, draw: random.Random) -> Outcome:
    """Kill a stage at random: in half of the runs before an access to a file, in the others at any moment."""

    def drawn(events: int, seconds: float) -> list[Kill]:
        def at_a_file(work: Callable[[], Any], cache: Path) -> Ended:
            return run_at_event(work, cache, draw.randint(1, events), die)

        def at_any_moment(work: Callable[[], Any], _: Path) -> Ended:
            return run_killed_after(work, draw.uniform(0, seconds))

        return [at_any_moment if number % 2 else at_a_file for number in range(kills)]

    return _run(stage, folder, drawn)


def run_kill_at_each_file(stage: Stage, folder: Path) -> Outcome:
    """Kill a stage once before each of its accesses to files, which does not depend on chance or speed."""
    return _run(
        stage, folder, lambda events, _: [partial(run_at_event, number=at + 1, then=die) for at in range(events)]
    )


def _run(stage: Stage, folder: Path, ways: Callable[[int, float], list[Kill]]) -> Outcome:
    """Kill a stage in several ways, chosen by its number of accesses to files and its seconds when undisturbed."""
    cache = stage.fresh_cache(folder / "counted")
    begun = time.monotonic()
    events, ended = count_events(partial(stage.obtain, cache), cache)
    seconds = time.monotonic() - begun
    tally = Tally(f"killed in {stage.name}", "kills")
    tally.check(ended.code == 0 and stage.made(cache) == stage.wanted, f"undisturbed: {ended.output}")
    resumed = 0
    for number, kill in enumerate(ways(events, seconds)):
        cache = stage.fresh_cache(folder / f"kill-{number}")
        killed = _killed(stage, cache, kill)
        left = sorted(path.name for path in cache.glob("unfinished/*/*"))
        resumed += bool(left)
        tally.add(list(_faults_after(stage, cache, killed)), f"kill {number}, which left {left or 'nothing'}")
    return tally.outcome(f"{events} accesses to files; {resumed} kills left unfinished work to resume")


def _killed(stage: Stage, cache: Path, kill: Kill) -> Ended:
    """Run a stage and kill it; run it again if it ended before."""
    for _ in range(20):
        killed = kill(partial(stage.obtain, cache), cache)
        if killed.code < 0 or stage.made(cache) != stage.wanted:
            return killed
        from optical_cli.cache.store import Cache

        artifact = Cache(cache).find(*stage.address)
        assert artifact is not None
        Cache(cache).remove(artifact)
    raise RuntimeError(f"{stage.name} could not be killed in 20 tries")


def _faults_after(stage: Stage, cache: Path, killed: Ended) -> Iterator[str]:
    from optical_cli.cache.store import Cache

    if killed.code != -9:
        yield f"ended by itself, with {killed.code}: {killed.output}"
    for entry in Cache(cache).all_entries():
        yield from (f"after the kill: {fault}" for fault in entry.faults())
    again = run(partial(stage.obtain, cache))
    if again.code != 0:
        yield f"the next run failed: {again.output}"
    elif other := stage.other_than_wanted(cache):
        yield f"the next run ended with other bytes in {', '.join(other)}"
    yield from faults_of(cache)
