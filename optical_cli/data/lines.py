"""Text files read line by line, plain or gzip, so that every fault can name its line."""

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from optical_cli.data.places import Place
from optical_cli.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[tuple[Place, str]]:
    r"""The lines of a UTF-8 file without their ends, each with its place.

    Lines end with `\n` or `\r\n`; nothing else ends a line, so U+2028 or a lone `\r` stays in the text.
    A byte order mark at the start and blank lines at the end are left out.

    Raises:
        DataError: the file cannot be read, its gzip is damaged, or a line is not UTF-8.
    """
    blank: list[tuple[Place, str]] = []
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                place = Place(str(path), number)
                text = _decode(line.removeprefix(_BOM) if number == 1 else line, place)
                if not text.strip():
                    blank.append((place, text))
                    continue
                yield from blank
                blank.clear()
                yield place, text
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); check the file and that it is whole") from error


def _open(path: Path) -> BufferedIOBase:
    # the bytes decide, not the name: a .gz that a browser unpacked is still read
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP_MAGIC
    return gzip.GzipFile(path) if packed else path.open("rb")


def _decode(line: bytes, place: Place) -> str:
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
        raise place.fault(expected="UTF-8", found=found, mend="convert the file, for example with iconv") from error
