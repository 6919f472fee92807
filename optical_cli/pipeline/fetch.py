"""Bringing the inputs of an experiment to this machine before anything needs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment
from optical_cli.data.absent import LocalCopy
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.inputs import Input, inputs_of


@dataclass(frozen=True)
class Fetched:
    """An input after it was fetched.

    Attributes:
        input: which.
        downloaded: whether it, or a part of it, was not here before.
        held: what this machine has of it now; None if it cannot be had.
        fingerprint: SHA-256 of what of it decides a result; "" if it cannot be had.
        fault: why not; "" if it can.
    """

    input: Input
    downloaded: bool
    held: LocalCopy | None
    fingerprint: str
    fault: str = ""


def fetch_inputs(x: Experiment, memo: Fingerprints, say: Callable[[str], None]) -> Iterator[Fetched]:
    """Each input of an experiment, read once and downloaded if it is not here; one that cannot be had stops no other.

    What was downloaded stays, so the same again goes on: models and datasets with the rest of a file, ir_datasets with
    the next file.

    Args:
        x: the experiment.
        memo: remembers fingerprints.
        say: hears of each download.
    """
    for one in inputs_of(x, memo):
        downloaded = False
        try:
            try:
                held = one.held(memo)
            except NotHere:
                say(f"{one.key}: downloading {one.source}")
                downloaded = True
                held = one.fetch(memo)
            yield Fetched(one, downloaded, held, one.known_fingerprint(memo))
        except DataError as error:
            yield Fetched(one, downloaded, None, "", str(error))
