"""Kill -9 at random points of a stage: is what was finished whole, and does the next try end with the same bytes?"""

import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.faults.children import Ended, count_events, die, run, run_at_event, run_killed_after
from tests.faults.outcome import Outcome, Tally
from tests.faults.stages import Stage, faults_of


def run_kills(stage: Stage, kills: int, folder: Path, draw: random.Random) -> Outcome:
    """Kill a stage at random, half of the times before it touches a file, half of the times at any moment."""
    cache = stage.fresh_cache(folder / "counted")
    begun = time.monotonic()
    events, ended = count_events(partial(stage.obtain, cache), cache)
    seconds = time.monotonic() - begun
    tally = Tally(f"killed in {stage.name}", "kills")
    tally.check(ended.code == 0 and stage.made(cache) == stage.wanted, f"undisturbed: {ended.said}")
    resumed = 0
    for number in range(kills):
        cache = stage.fresh_cache(folder / f"kill-{number}")
        killed = _kill(stage, cache, number, events, seconds, draw)
        left = sorted(path.name for path in cache.glob("unfinished/*/*"))
        resumed += bool(left)
        tally.tried(list(_faults_after(stage, cache, killed)), f"kill {number}, which left {left or 'nothing'}")
    return tally.outcome(f"{events} places at files; {resumed} left something to go on from")


def _kill(stage: Stage, cache: Path, number: int, events: int, seconds: float, draw: random.Random) -> Ended:
    """One try that is killed; drawn anew if it was over before."""
    for _ in range(20):
        work = partial(stage.obtain, cache)
        if number % 2:
            killed = run_killed_after(work, draw.uniform(0, seconds))
        else:
            killed = run_at_event(work, cache, draw.randint(1, events), die)
        if killed.code < 0 or stage.made(cache) != stage.wanted:
            return killed
        from optical_cli.cache.store import Cache

        artifact = Cache(cache).find(stage.kind, stage.key)
        assert artifact is not None
        Cache(cache).remove(artifact)
    raise RuntimeError(f"{stage.name} could not be killed in 20 tries")


def _faults_after(stage: Stage, cache: Path, killed: Ended) -> Iterator[str]:
    from optical_cli.cache.store import Cache

    if killed.code != -9:
        yield f"ended by itself, with {killed.code}: {killed.said}"
    opened = Cache(cache)
    for entry in opened.all_entries():
        yield from (f"after the kill: {fault}" for fault in opened.verify(entry))
    again = run(partial(stage.obtain, cache))
    if again.code != 0:
        yield f"the next try failed: {again.said}"
    elif other := stage.other_than_wanted(cache):
        yield f"the next try ended with other bytes in {', '.join(other)}"
    yield from faults_of(cache)
