"""Start-up: time of commands when nothing has to be computed, and of the first sweep."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.results import Recorder
from optical_cli.errors import ConfigError

ROUNDS = 5
CACHED = {
    "startup/help-seconds": ("--help",),
    "startup/cached-evaluate-seconds": ("evaluate", "tiny", "--reg", "0.1", "--pair", "sw-sw"),
    "startup/cached-sweep-seconds": ("sweep", "tiny"),
    "startup/cached-report-seconds": ("report", "tiny"),
}


def run(recorder: Recorder) -> None:
    """Time `optical sweep tiny` from an empty cache, then commands that find everything in the cache."""
    optical = Path(sys.executable).with_name("optical")
    if not optical.exists():
        raise ConfigError(f"{optical}: missing, and the group startup times the installed program; run `make bench`")
    with tempfile.TemporaryDirectory() as cache:
        recorder.add("smoke/seconds", _seconds(optical, cache, "sweep", "tiny"), "s")
        for name, arguments in CACHED.items():
            times = [_seconds(optical, cache, *arguments) for _ in range(ROUNDS)]
            recorder.add(name, median(times), "s", rounds=ROUNDS, fastest=min(times))


def _seconds(optical: Path, cache: str, *arguments: str) -> float:
    begin = perf_counter()
    done = subprocess.run(  # noqa: S603 - the program beside this Python
        [optical, *arguments],
        env={**os.environ, "OPTICAL_CACHE": cache},
        cwd=cache,  # a report is written to the current folder
        capture_output=True,
        text=True,
        check=False,
    )
    passed = perf_counter() - begin
    if done.returncode != 0:
        raise ConfigError(f"optical {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return passed
