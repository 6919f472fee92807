"""Processes that obtain artifacts of one cache at once: each artifact is computed once, also if its maker is killed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from optical_cli.cache.artifact import Artifact, Health
from optical_cli.cache.keys import Key
from optical_cli.cache.store import Build, Cache
from tests.faults import namespaces
from tests.faults.children import Child
from tests.faults.outcome import Outcome, Tally, skipped
from tests.faults.stages import Stage, copy_cache, faults_of

PATIENCE = 600.0


def run_same(stage: Stage, processes: int, rounds: int, folder: Path, draw: random.Random) -> list[Outcome]:
    """Let processes obtain the same artifact at once, undisturbed, and with the process that makes it killed."""
    undisturbed = Tally(f"{processes} obtain the same, {stage.name}", "times")
    killed = Tally(f"{processes} obtain it, its maker is killed, {stage.name}", "times")
    kills = 0
    for number in range(rounds):
        cache = stage.fresh_cache(folder / f"same-{number}")
        begun = time.monotonic()
        children = [Child(_work(stage, cache)) for _ in range(processes)]
        undisturbed.add(_faults([stage], cache, children, kills=0), f"time {number}")
        seconds = (time.monotonic() - begun) / 2  # within the time of making it, after which the others end
        cache = stage.fresh_cache(folder / f"killed-{number}")
        children = [Child(_work(stage, cache)) for _ in range(processes)]
        dead = _kill_the_maker(cache, children, draw.uniform(0, seconds))
        kills += dead
        killed.add(_faults([stage], cache, children, kills=dead), f"time {number}")
    return [
        undisturbed.outcome("computed once"),
        killed.outcome(f"{kills} makers killed; computed once by the other processes"),
    ]


def run_different(stages: Sequence[Stage], processes: int, folder: Path) -> Outcome:
    """Let processes obtain the artifacts of all stages at once, each process another stage."""
    tally = Tally(f"{processes} obtain {len(stages)} artifacts at once", "times")
    cache = copy_cache(stages[0].upstream, folder / "different")
    children = [Child(_work(stages[number % len(stages)], cache)) for number in range(processes)]
    tally.add(_faults(stages, cache, children, kills=0), "all")
    return tally.outcome("each computed once")


def run_machines(stage: Stage, rounds: int, folder: Path, draw: random.Random) -> Outcome:
    """Let processes with two host names obtain the same artifact, and kill its maker in every other round."""
    what = f"2 host names, one folder, {stage.name}"
    if reason := namespaces.why_not():
        return skipped(what, reason)
    tally = Tally(what, "times")
    kills, seconds = 0, 0.0
    for number in range(rounds):
        cache = stage.fresh_cache(folder / f"machines-{number}")
        begun = time.monotonic()
        children = [Child(_work(stage, cache, host)) for host in ("machine-a", "machine-b")]
        dead = _kill_the_maker(cache, children, draw.uniform(0, seconds)) if number % 2 else 0
        kills += dead
        faults = _faults([stage], cache, children, kills=dead)
        seconds = (time.monotonic() - begun) / 2
        artifact = Cache(cache).find(*stage.address)
        if artifact is None or not str(artifact.manifest["host"]["name"]).startswith("machine-"):
            faults.append("the manifest does not name the machine that made the artifact")
        tally.add(faults, f"time {number}")
    return tally.outcome(f"computed once; {kills} makers killed")


def _work(stage: Stage, cache: Path, host: str | None = None) -> Callable[[], bool]:
    def work() -> bool:
        if host is not None:
            namespaces.enter()
            namespaces.set_host(host)
        _note_computations(_log(cache))
        return stage.obtain(cache)

    return work


def _note_computations(log: Path) -> None:
    """Make this process log a line for each artifact that it begins to compute."""
    make = Cache.make

    def noted(cache: Cache, kind: str, label: str, key: Key, build: Build) -> tuple[Artifact, bool]:
        def begun(folder: Path) -> Health:
            with log.open("a") as file:
                file.write(f"{kind}-{key.short}\n")
            return build(folder)

        return make(cache, kind, label, key, begun)

    Cache.make = noted


def _log(cache: Path) -> Path:
    return cache.with_name(f"{cache.name}.computed")


def _kill_the_maker(cache: Path, children: Sequence[Child], seconds: float) -> int:
    """Kill the process that makes an artifact, some seconds after its note appears; return the number of kills."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not all(child.is_over(0) for child in children):
        for _, making in Cache(cache).notes.all_making():
            time.sleep(seconds)
            for child in children:
                if child.pid == making.process:
                    return int(child.kill())
        time.sleep(0.001)
    return 0


def _faults(stages: Sequence[Stage], cache: Path, children: Sequence[Child], *, kills: int) -> list[str]:
    """Wait for the processes, and list what is wrong with the cache that they shared."""
    faults = []
    begun = time.monotonic()
    for child in children:
        if not child.is_over(max(PATIENCE - (time.monotonic() - begun), 0)):
            faults.append(f"process {child.pid} has not ended in {PATIENCE:.0f} s")
            child.kill()
    ends = [child.wait() for child in children]
    faults += [f"ended with {ended.code}: {ended.output}" for ended in ends if ended.code not in (0, -9)]
    if (found := sum(ended.code == -9 for ended in ends)) != kills:
        faults.append(f"{kills} killed expected, found {found}")
    computed = Counter(_log(cache).read_text().splitlines())
    if len(computed) != len(stages) or max(computed.values()) > 1 + kills:
        faults.append(f"one computation expected of each of {len(stages)} artifacts, found {dict(computed)}")
    for stage in stages:
        if stage.made(cache) != stage.wanted:
            faults.append(f"{stage.name}: other bytes")
    return faults + faults_of(cache)
