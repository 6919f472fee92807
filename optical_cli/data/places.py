"""Where a record stands, and how a fault in it is told."""

from typing import NamedTuple

from optical_cli.errors import DataError

_SHOWN = 60  # characters of a faulty record that a message quotes


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


def quoted(value: object) -> str:
    """A value as a message shows it: on one line, shortened."""
    text = value if isinstance(value, str) else repr(value)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def one_line(error: BaseException) -> str:
    """What another library's error says, on one line, shortened."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 4 * _SHOWN else f"{text[: 4 * _SHOWN]}…"
