"""`python -m bench [GROUP | GROUP/PART]`."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from optical_cli.errors import ConfigError, OpticalError

THREADS = 2
RESULTS = Path(__file__).with_name("results.jsonl")
GROUPS = {
    "startup": ("bench.startup",),
    "transport": (
        "bench.transport.speed",
        "bench.transport.share",
        "bench.transport.accuracy",
        "bench.transport.curve",
        "bench.transport.warm_start",
    ),
    "distill": (
        "bench.distill.speed",
        "bench.distill.second_reg",
        "bench.distill.upper_layers",
        "bench.distill.trim",
        "bench.distill.kill",
    ),
    "index": ("bench.index.encode", "bench.index.growth"),
    "search": ("bench.search.exact", "bench.search.approximate"),
    "report": ("bench.report",),
    "scale": ("bench.scale",),
    "ray": ("bench.ray",),
}


def modules_of(only: str | None) -> list[str]:
    """Return the modules to run: of all groups, of one group, or of one part (`transport/share`).

    Raises:
        ConfigError: the group or part is unknown.
    """
    if not only:
        return [module for modules in GROUPS.values() for module in modules]
    found = [
        module
        for group, modules in GROUPS.items()
        for module in modules
        if only in (group, f"{group}/{module.rsplit('.', 1)[-1]}")
    ]
    if not found:
        known = ", ".join(GROUPS)
        raise ConfigError(f"ONLY={only}: unknown group of benchmarks; choose one of {known}")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the chosen benchmarks, and return the exit code: 0, or 2 if they cannot run."""
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(THREADS)  # before torch and numba are imported
    try:
        modules = modules_of(arguments[0] if arguments else None)
        from bench.machine import describe
        from bench.results import Recorder, table

        recorder = Recorder(RESULTS, describe(THREADS))
        try:
            for module in modules:
                import_module(module).run(recorder)
        finally:
            if recorder.results:
                print(table(recorder.results))
    except KeyboardInterrupt:
        return 130
    except OpticalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
