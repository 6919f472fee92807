"""Text files, plain or compressed: reading lines and checking records. Every error names the file and the line."""

import gzip
import hashlib
import json
import re
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple, cast

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError, one_line, quoted

LONGEST = 16 << 20
"""Longest line in bytes: a binary file, or an archive that unpacks to gigabytes, must not fill the memory."""
PACKED = (".gz", ".zst")
_GZIP_MAGIC, _BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
_ZSTD_MAGIC = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to be skipped (pzstd)
_NO_TEXT = {
    b"PAR1": ("a parquet file", "name its folder as a `dataset`"),
    b"PK\x03\x04": ("a zip archive", "unpack it; only a Moses zip of OPUS whose name ends in .zip is read packed"),
    b"BZh": ("a bzip2 archive", "unpack it, or pack it with gzip or zstd"),
    b"\xfd7zXZ\x00": ("an xz archive", "unpack it, or pack it with gzip or zstd"),
    b"SQLite format 3": ("an SQLite database", "export it as text"),
    b"\xff\xfe": ("UTF-16 text", "convert the file, for example with iconv"),
    b"\xfe\xff": ("UTF-16 text", "convert the file, for example with iconv"),
}
"""What a file is that begins with these bytes, and what to do with it."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff]")
"""Control characters, which would control the terminal that shows a run file, surrogates, and the byte order mark."""
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}
"""Unicode categories of characters without a glyph: control and format characters (U+200B, U+FEFF), white space."""
_FILLERS = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Characters of other categories that show nothing: joiner, Hangul fillers, the Braille pattern without dots."""
HEADERS = {
    *("id", "_id", "qid", "query_id", "query-id", "topic", "topic_id", "text", "query"),
    *("source", "target", "src", "tgt", "teacher", "foreign", "sentence", "translation", "english", "en"),
    *("positive", "negative", "negatives", "passage", "document", "pos", "neg"),
}
"""Words of a first line that is a header, in lower case."""


class Place(NamedTuple):
    """The position of a record, for error messages: a line of a file, or a numbered record of a dataset."""

    source: str
    number: int
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.source}, {self.unit} {self.number}"

    def fault(self, *, expected: str, found: str, mend: str) -> DataError:
        """Return an error with the position, what was expected, what was found, and what to do (`mend`)."""
        return DataError(f"{self}: expected {expected}, found {found}; {mend}")


def file_digest(path: Path, memo: Fingerprints) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits; DataError if the file cannot be read."""
    try:
        return memo.of_file(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); check that it exists, and its permissions") from error


def digest_of(files: Sequence[Path], memo: Fingerprints, *reading: str) -> str:
    """Return the SHA-256 of files and of the texts in `reading` that decide how they are read, 64 hex digits."""
    digests = [file_digest(path, memo) for path in files]
    return hashlib.sha256("\n".join([*digests, *reading]).encode()).hexdigest()


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, decompressed if it starts like gzip or Zstandard; DataError if it is damaged or cut off."""
    faults: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
    try:
        with path.open("rb") as plain:
            if not plain.seekable():
                raise DataError(f"{path} is a pipe, which can be read only once; write it to a file, and name that")
            magic = plain.read(4)
            plain.seek(0)
            file = cast(IO[bytes], plain)
            if magic.startswith(_GZIP_MAGIC):
                file = cast(IO[bytes], gzip.GzipFile(fileobj=plain))
            elif _ZSTD_MAGIC.fullmatch(magic):
                zstd = _zstd()
                faults += (zstd.ZstdError,)
                file = zstd.ZstdFile(plain)
            with file:
                yield file
    except faults as error:
        raise DataError(f"{path} cannot be read ({error}); check that the file is complete") from error


def _zstd() -> ModuleType:
    # backports.zstd raises for a file that is cut off, like Python 3.14; the package `zstandard` does not
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    module: ModuleType = zstd
    return module


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: only white space, control characters and invisible characters."""
    return all(unicodedata.category(char) in _INVISIBLE or char in _FILLERS for char in text)


def looks_like_header(columns: Iterable[str], *more: str) -> bool:
    """Return whether all columns of a first line are words of a header: those of `HEADERS`, or `more` words."""
    return {column.strip().casefold() for column in columns} <= {*HEADERS, *more}


def read_lines(path: Path) -> Iterator[tuple[Place, str]]:
    r"""Stream the lines of a UTF-8 file without line ends, each with its position.

    Lines end with `\n` or `\r\n` only, so U+2028 or a lone `\r` stays in the text. A byte order mark at the start and
    blank lines at the end are left out; other blank lines are "".
    """
    done = 0
    for place, text in every_line(path):
        if text.strip():
            for number in range(done + 1, place.number):  # blank lines before this one
                yield place._replace(number=number), ""
            yield place, text
            done = place.number


def every_line(path: Path) -> Iterator[tuple[Place, str]]:
    """Stream all lines of a UTF-8 file like `read_lines`, including blank lines at the end."""
    with unpacked(path) as file:
        yield from lines_of(file, str(path))


def lines_of(file: IO[bytes], source: str) -> Iterator[tuple[Place, str]]:
    """Stream all lines of an open file, with positions in `source`; DataError if a line is too long or not UTF-8."""
    for number, read in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), start=1):
        place = Place(source, number)
        if number == 1 and (kind := next((kind for magic, kind in _NO_TEXT.items() if read.startswith(magic)), None)):
            raise place.fault(expected="text", found=kind[0], mend=kind[1])
        if len(read) > LONGEST:
            mend = "check that it is the right file, and that its lines end with line breaks"
            raise place.fault(expected=f"at most {LONGEST >> 20} MiB", found="more", mend=mend)
        if b"\0" in read:
            found = "null characters, as UTF-16 text has them"
            raise place.fault(expected="UTF-8", found=found, mend="convert the file, for example with iconv")
        line = (read.removeprefix(_BOM) if number == 1 else read).removesuffix(b"\n").removesuffix(b"\r")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
            raise place.fault(expected="UTF-8", found=found, mend="convert the file, for example with iconv") from error
        yield place, text


def columns_of(place: Place, line: str, count: int, names: str, mend: str, separator: str | None = "\t") -> list[str]:
    """Split a line into `count` columns, which `names` lists for the error; DataError if it has more or fewer."""
    columns = line.split(separator)
    if len(columns) != count:
        raise place.fault(expected=f"{count} columns, {names}", found=f"{len(columns)} in {quoted(line)}", mend=mend)
    return columns


class _DuplicateKeyError(ValueError):
    """A key that an object of JSON has twice; Python would take the last."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {quoted(key)} is there twice")
        self.key = key


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKeyError(next(key for key in keys if keys.count(key) > 1))
    return record


read_json = json.JSONDecoder(object_pairs_hook=_distinct).decode
"""Parse JSON like `json.loads`; ValueError also if an object has a key twice."""


def json_object(place: Place, line: str) -> dict[str, Any]:
    """Parse a line as a JSON object; DataError if it is anything else, or has a key twice."""
    try:
        record = read_json(line)
    except _DuplicateKeyError as error:
        found = f"{quoted(error.key)} twice in {quoted(line)}"
        raise place.fault(expected="each key once", found=found, mend="remove one of the two") from error
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, and deep nesting
        mend = f"correct the line ({one_line(error)})"
        raise place.fault(expected="a JSON object", found=quoted(line), mend=mend) from error
    if not isinstance(record, dict):
        raise place.fault(expected="a JSON object", found=quoted(line), mend="write one object on each line")
    return record


def id_key(record: Mapping[str, Any], own: str) -> str:
    """Return the key of a record's id: `own`, or `_id` or `id` if it only has one of these, as files of BEIR do."""
    return next((key for key in (own, "_id", "id") if key in record), own)


def checked_text(value: object, field: str, place: Place, mend: str = "put it in quotation marks") -> str:
    """Return the value of a field; DataError if it is not text, or has half a surrogate pair, which JSON allows."""
    if not isinstance(value, str):
        raise place.fault(expected=f"text in {quoted(field)}", found=quoted(value), mend=mend)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        expected, found = f"characters in {quoted(field)}", f"half a surrogate pair at position {error.start + 1}"
        raise place.fault(expected=expected, found=found, mend="remove or complete it") from error
    return value


def checked_id(value: object, field: str, place: Place) -> str:
    """Return an id that a TREC run file can hold; DataError if it is empty or has white space or control characters."""
    if isinstance(value, str) and value and value.split() == [value] and not _CONTROL.search(value):
        return value
    mend = "rename it: columns of run files are separated by white space"
    if isinstance(value, int | float):
        mend = "put it in quotation marks"
    raise place.fault(expected=f"a {field} that is text without white space", found=quoted(value), mend=mend)
