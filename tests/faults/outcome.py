"""What came of an attack."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What came of an attack.

    Attributes:
        what: was done.
        unit: of what was tried.
        tried: how often.
        held: how often everything was as it has to be.
        note: for the table.
        faults: what was not, a line each.
        skipped: why it could not be tried here.
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
        """Whether nothing went wrong."""
        return not self.faults


class Tally:
    """Counts tries and what went wrong with them.

    Args:
        what: is done.
        unit: of what is tried.
    """

    def __init__(self, what: str, unit: str) -> None:
        self._what = what
        self._unit = unit
        self._tried = self._held = 0
        self._faults: list[str] = []

    def tried(self, faults: Sequence[str], name: str) -> None:
        """One more try, and what went wrong with it."""
        self._tried += 1
        self._held += not faults
        self._faults += [f"{self._what}, {name}: {fault}" for fault in faults]

    def check(self, holds: bool, fault: str) -> None:
        """Something that has to hold besides."""
        if not holds:
            self._faults.append(f"{self._what}: {fault}")

    def outcome(self, note: str = "") -> Outcome:
        """All of it."""
        return Outcome(self._what, self._unit, self._tried, self._held, note, tuple(self._faults))


def skipped(what: str, reason: str) -> Outcome:
    """An attack that cannot be made here."""
    return Outcome(what, "", 0, 0, skipped=reason)
