"""The whole examination, one finding after the other."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment
from optical_cli.doctor.finding import Finding


def examine(root: Path, experiment: Experiment | None = None, name: str = "") -> Iterator[Finding]:
    """Look at everything that experiments stand on; what is broken does not keep the rest from being looked at.

    Args:
        root: of the cache.
        experiment: whose inputs are looked at, too.
        name: of it as commands take it.
    """
    for what, look in _looks(root, experiment, name).items():
        try:
            yield from look()
        except Exception as error:  # noqa: BLE001 - a package that is broken can raise anything, and that is a finding
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding(what, "fault", f"cannot be looked at ({said})", "install optical and its packages again")


def _looks(root: Path, experiment: Experiment | None, name: str) -> dict[str, Callable[[], Iterable[Finding]]]:
    """What is looked at, in order; each is imported when its turn comes, for its imports may be what is broken."""

    def packages() -> Iterator[Finding]:
        from optical_cli.doctor.packages import look_at_packages
        from optical_cli.doctor.ray import look_at_ray

        yield from look_at_packages()
        yield look_at_ray()

    def machine() -> Iterator[Finding]:
        from optical_cli.doctor.machine import look_at_machine, look_at_precision

        yield from look_at_machine()
        yield look_at_precision(root / "machines")

    def cache() -> Iterator[Finding]:
        from optical_cli.doctor.cache_folder import look_at_cache

        yield look_at_cache(root)

    def network() -> Iterator[Finding]:
        from optical_cli.doctor.network import look_at_network

        yield look_at_network()

    def inputs() -> Iterator[Finding]:
        from optical_cli.doctor.inputs import look_at_inputs

        if experiment is not None:
            yield from look_at_inputs(experiment, Fingerprints(root / "fingerprints"), name)

    def compiled() -> Iterator[Finding]:
        from optical_cli.doctor.compiled import look_at_compiled

        yield look_at_compiled()

    def transport() -> Iterator[Finding]:
        from optical_cli.doctor.self_test import try_transport

        yield try_transport()

    def search() -> Iterator[Finding]:
        from optical_cli.doctor.self_test import try_search

        yield from try_search()

    looks = (packages, machine, cache, network, inputs, compiled, transport, search)
    return {look.__name__: look for look in looks}
