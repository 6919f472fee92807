"""The inputs of an experiment: on this machine, to be downloaded, or not to be had."""

from collections.abc import Iterator

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment
from optical_cli.doctor.finding import Finding
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.inputs import Input, inputs_of
from optical_cli.pipeline.sources import Sources


def look_at_inputs(x: Experiment, memo: Fingerprints, name: str) -> Iterator[Finding]:
    """A finding an input; nothing is downloaded, and no collection is read to its end.

    Args:
        x: the experiment.
        memo: remembers fingerprints.
        name: of the experiment as commands take it.
    """
    for one in inputs_of(Sources(x, memo)):
        yield _look_at(one, name)


def _look_at(one: Input, name: str) -> Finding:
    try:
        held = one.held()
    except NotHere:
        return Finding(one.key, "warning", f"{one.source} is not on this machine", f"`optical fetch {name}` brings it")
    except DataError as error:
        return Finding(one.key, "fault", str(error), f"mend {one.key} in {name}, or what it names")
    at = f" at {held.revision}" if held.revision else ""
    size = "" if held.size is None else f", {held.size / 1e6:.3g} MB"
    return Finding(one.key, "ok", f"{one.source}{at}: {held.place}{size}")
