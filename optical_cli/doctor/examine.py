"""All checks of this machine, in the order of their findings."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment
from optical_cli.doctor import computing, environment, machine
from optical_cli.doctor.finding import Finding


def examine(root: Path, experiment: Experiment | None = None, name: str = "") -> Iterator[Finding]:
    """Check everything that experiments need; a check that breaks down becomes a finding, and the others go on.

    Args:
        root: folder of the cache.
        experiment: check its inputs and their content too.
        name: the file of the experiment, as on the command line.
    """
    with TemporaryDirectory() as scratch:  # a cache that is yet to be made is not made for a check
        memo = Fingerprints((root if root.exists() else Path(scratch)) / "fingerprints")
        yield from _findings(root, memo, experiment, name)


def _findings(root: Path, memo: Fingerprints, experiment: Experiment | None, name: str) -> Iterator[Finding]:
    looks: dict[str, Callable[[], Iterable[Finding]]] = {  # each imports what it checks, as that may be broken
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
        except Exception as error:  # noqa: BLE001 - a broken package can raise anything, and that is a finding
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding(what, "fault", f"the check failed ({said})", "install optical and its packages again")
