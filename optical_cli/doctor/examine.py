"""The whole examination, one finding after the other."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment
from optical_cli.doctor import computing, environment, machine
from optical_cli.doctor.finding import Finding


def examine(root: Path, experiment: Experiment | None = None, name: str = "") -> Iterator[Finding]:
    """Look at everything that experiments need; with an experiment, which commands call `name`, at its inputs too.

    A broken part does not keep the rest from being looked at. `root` is the folder of the cache.
    """
    memo = Fingerprints(root / "fingerprints")
    looks: dict[str, Callable[[], Iterable[Finding]]] = {  # each imports what it looks at, as that may be broken
        "packages": environment.look_at_packages,
        "ray": lambda: [environment.look_at_ray()],
        "machine": machine.look_at_machine,
        "precision": lambda: [machine.look_at_precision(root / "machines")],
        "cache": lambda: [environment.look_at_cache(root)],
        "network": lambda: [environment.look_at_network()],
        "inputs": lambda: environment.look_at_inputs(experiment, memo, name) if experiment else (),
        "compiled": lambda: [computing.look_at_compiled()],
        "transport": lambda: [computing.try_transport()],
        "search": computing.try_search,
    }
    for what, look in looks.items():
        try:
            yield from look()
        except Exception as error:  # noqa: BLE001 - a package that is broken can raise anything, and that is a finding
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding(what, "fault", f"cannot be looked at ({said})", "install optical and its packages again")
