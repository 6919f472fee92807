"""A clock that is set back: the cache must not rely on dates."""

import os
import random
import time
from functools import partial
from pathlib import Path

from tests.faults.children import count_events, die, run, run_at_event
from tests.faults.outcome import Outcome, Tally
from tests.faults.stages import Stage, faults_of

YEAR = 365 * 24 * 3600.0


def run_back(stage: Stage, times: int, folder: Path, draw: random.Random) -> Outcome:
    """Kill a stage, date all files of the cache a year ahead, as if the clock was set back, and run the stage again."""
    cache = stage.fresh_cache(folder / "counted")
    events, _ = count_events(partial(stage.obtain, cache), cache)
    tally = Tally(f"clock set back in {stage.name}", "times")
    for number in range(times):
        cache = stage.fresh_cache(folder / f"clock-{number}")
        run_at_event(partial(stage.obtain, cache), cache, draw.randint(events // 2, events), die)
        _date_all(cache, time.time() + YEAR)
        faults = _faults_of(stage, cache)
        _date_all(cache, time.time() + YEAR)
        again = run(partial(stage.obtain, cache))
        if again.code != 0 or again.result is not False:
            faults.append(f"an artifact with a date in the future was not found: {again.code} {again.output}")
        tally.add(faults, f"time {number}")
    return tally.outcome("resumes, ends with the same bytes, and is found")


def _faults_of(stage: Stage, cache: Path) -> list[str]:
    again = run(partial(stage.obtain, cache))
    if again.code != 0:
        return [f"the next run failed: {again.output}"]
    return [*(["other bytes"] if stage.made(cache) != stage.wanted else []), *faults_of(cache)]


def _date_all(cache: Path, when: float) -> None:
    for path in cache.rglob("*"):
        os.utime(path, (when, when))
