"""The machine of a measurement, and how busy other processes kept it meanwhile."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

PACKAGES = ("optical-cli", "numpy", "numba", "torch", "pot", "geomloss", "sentence-transformers", "transformers")


def describe(threads: int) -> dict[str, Any]:
    """Return processor, cores, threads, versions, date and load average."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": threads,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


SHORTEST = 0.1  # seconds; the system counts processor times in hundredths


class Neighbours:
    """Measures how many cores other processes, and other guests of the same host, keep busy.

    Small torch kernels on two threads become a hundred times slower when a third thread wants a core. A peer that
    consists of such kernels then looks far worse than it is, so every measurement records the load by others.
    """

    def __init__(self) -> None:
        self._since = self._now()
        self._last = 0.0

    def cores(self) -> float:
        """Return the mean number of cores busy with other processes since the last call.

        Within SHORTEST of the last call, return the same number again: several results of one measurement are recorded
        at once, and share its disturbance.
        """
        now = self._now()
        wall, machine, ours = (later - earlier for later, earlier in zip(now, self._since, strict=True))
        if wall >= SHORTEST:
            self._since, self._last = now, max(machine - ours, 0.0) / wall
        return self._last

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """Return seconds: of wall-clock time, of all processes, and of this process and its ended children."""
        times = psutil.cpu_times()
        machine = times.user + times.system + getattr(times, "nice", 0.0) + getattr(times, "steal", 0.0)
        return perf_counter(), machine, sum(os.times()[:4])


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
