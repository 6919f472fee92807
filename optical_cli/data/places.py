"""Where a record stands, and how a fault in it is told."""

from typing import NamedTuple

from optical_cli.errors import DataError


class Place(NamedTuple):
    """The place of one record: a line of a file, or the nth document, topic or judgement of a dataset."""

    source: str
    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.source}, {self.unit} {self.number}"

    def fault(self, *, expected: str, found: str, mend: str) -> DataError:
        """One line that says where, what was expected, what was found and how to mend it."""
        return DataError(f"{self}: expected {expected}, found {found}; {mend}")
