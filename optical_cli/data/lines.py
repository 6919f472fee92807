"""Text files read line by line, plain or packed, so that every fault can name its line."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from optical_cli.data.packed import unpacked
from optical_cli.data.places import Place

LONGEST = 16 << 20
"""Bytes of a line: a file that is no text, or a small archive that unpacks to gigabytes, must not fill the memory."""

_BOM = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[tuple[Place, str]]:
    r"""The lines of a UTF-8 file without their ends, each with its place.

    Lines end with `\n` or `\r\n`; nothing else ends a line, so U+2028 or a lone `\r` stays in the text.
    A byte order mark at the start and blank lines at the end are left out; other blank lines come as "".

    Raises:
        DataError: the file cannot be read, what it is packed in is damaged, or a line is too long or not UTF-8.
    """
    done = 0
    for place, text in every_line(path):
        if text.strip():
            for number in range(done + 1, place.number):  # counted and not kept: there may be any number of them
                yield place._replace(number=number), ""
            yield place, text
            done = place.number


def every_line(path: Path) -> Iterator[tuple[Place, str]]:
    """The same with the blank lines at the end."""
    with unpacked(path) as file:
        yield from lines_of(file, str(path))


def lines_of(file: IO[bytes], source: str) -> Iterator[tuple[Place, str]]:
    """Every line of an open file, with its place in `source`; DataError if one is too long or not UTF-8."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), start=1):
        place = Place(source, number)
        if len(line) > LONGEST:
            mend = "check that it is the file you mean, and that its lines are parted by line ends"
            raise place.fault(expected=f"at most {LONGEST >> 20} MiB", found="more", mend=mend)
        yield place, _decode(line.removeprefix(_BOM) if number == 1 else line, place)


def _decode(line: bytes, place: Place) -> str:
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
        raise place.fault(expected="UTF-8", found=found, mend="convert the file, for example with iconv") from error
