"""Outcomes of attacks."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attack.

    Attributes:
        what: what the attack does.
        unit: what is counted.
        tried: number of tries.
        held: number of tries without a fault.
        note: a note for the table.
        faults: a line for each fault.
        skipped: why the attack cannot run here; empty if it ran.
    """

    what: str
    unit: str
    tried: int
    held: int
    note: str = ""
    faults: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def survived(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


class Tally:
    """Counts tries of an attack, and collects faults.

    Args:
        what: what the attack does.
        unit: what is counted.
    """

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._tried = self._held = 0
        self._faults: list[str] = []

    def add(self, faults: Sequence[str], name: str) -> None:
        """Add a try with its faults."""
        self._tried += 1
        self._held += not faults
        self._faults += [f"{self._what}, {name}: {fault}" for fault in faults]

    def check(self, holds: bool, fault: str) -> None:
        """Add a fault unless a condition holds, without counting a try."""
        if not holds:
            self._faults.append(f"{self._what}: {fault}")

    def outcome(self, note: str = "") -> Outcome:
        """Return the outcome of all tries."""
        return Outcome(self._what, self._unit, self._tried, self._held, note, tuple(self._faults))


def skipped(what: str, reason: str) -> Outcome:
    """Return the outcome of an attack that cannot run here."""
    return Outcome(what, "", 0, 0, skipped=reason)
