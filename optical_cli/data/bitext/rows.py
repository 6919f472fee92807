"""Rows of two sentences: what every format of files gives, and the formats with a row a line."""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data import text_files
from optical_cli.data.absent import LocalCopy, size_of
from optical_cli.data.paths import is_hidden, listed
from optical_cli.data.text_files import Place, columns_of, lines_of
from optical_cli.errors import DataError, one_line, quoted

Lines = Iterable[tuple[Place, str]]
# an encrypted member is a RuntimeError, an unknown packing a NotImplementedError, which is one; a name may be no UTF-8
_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)
TRANSLATION = "translation"  # the column under which the datasets library keeps a sentence by language


class Row(NamedTuple):
    """A row of a source: both sides stripped, "" where one is missing."""

    place: Place
    teacher: str
    foreign: str


@dataclass(frozen=True)
class RowFiles:
    """A bitext in files: the base class of their formats. `columns` is what these call the two sides."""

    reading: ClassVar[str] = ""
    """Names the format in fingerprints; "" if `columns` has no part in what is read."""

    files: tuple[Path, ...]
    columns: tuple[str, str]

    def fingerprint(self, memo: Fingerprints) -> str:
        """64 hex digits that differ where the rows differ: of the files' digests, and of the columns if they count."""
        return digest_of(self.files, memo, *((self.reading, *self.columns) if self.reading else ()))

    def local_copy(self) -> LocalCopy:
        """The files."""
        return LocalCopy(self.files[0], size_of(self.files))

    def rows(self) -> Iterator[Row]:
        """Read the rows from the start; DataError if a file cannot be read, or a row is not in the format."""
        raise NotImplementedError


def digest_of(files: Sequence[Path], memo: Fingerprints, *reading: str) -> str:
    """SHA-256 over the digests of files and over what decides how they are read, 64 hex digits."""
    digests = [text_files.file_digest(path, memo) for path in files]
    return hashlib.sha256("\n".join([*digests, *reading]).encode()).hexdigest()


def row_of(record: object, columns: tuple[str, str], place: Place) -> Row:
    """The row of a record, whose columns may lie inside `translation`; DataError if one is neither text nor null."""
    if not isinstance(record, Mapping):
        mend = 'one JSON object a line, such as {"en": ..., "yo": ...}'
        raise place.fault(expected="a record with named columns", found=quoted(record), mend=mend)
    inner = record.get(TRANSLATION)
    if isinstance(inner, Mapping) and not all(column in record for column in columns):
        record = inner
    teacher, foreign = (_side(record, column, place) for column in columns)
    return Row(place, teacher, foreign)


def _side(record: Mapping[str, Any], column: str, place: Place) -> str:
    if column not in record:
        mend = "name the column of the teacher's sentences and that of their translations with `columns`"
        found = listed([str(name) for name in record])
        raise place.fault(expected=f"a column {quoted(column)}", found=found, mend=mend)
    value = record[column]
    return "" if value is None else text_files.checked_text(value, column, place, "name another column").strip()


class Tsv(RowFiles):
    """Lines of `sentence TAB translation`; a blank line is a row with two empty sides."""

    def rows(self) -> Iterator[Row]:
        """A row a line; DataError if a line has another number of columns."""
        mend = "add a missing side, or remove further columns and tabs inside a sentence"
        for place, line in text_files.read_lines(self.files[0]):
            columns = columns_of(place, line, 2, "sentence TAB translation", mend) if line.strip() else ["", ""]
            yield Row(place, columns[0].strip(), columns[1].strip())


class JsonLines(RowFiles):
    """A JSON object a line; `columns` are the keys of the two sentences."""

    reading = "jsonl"

    def rows(self) -> Iterator[Row]:
        """A row a line; DataError if a line is no JSON object or lacks a key."""
        for place, line in text_files.read_lines(self.files[0]):
            yield row_of(text_files.json_object(place, line), self.columns, place)


class Aligned(RowFiles):
    """Two files, of which each line of the second translates that of the first."""

    def rows(self) -> Iterator[Row]:
        """A row a line of each; DataError if one file goes on after the other's end."""
        teacher, foreign = self.files
        return _paired(text_files.every_line(teacher), text_files.every_line(foreign), (str(teacher), str(foreign)))


class MosesZip(RowFiles):
    """A zip with one file that ends in `.TEACHER` and one that ends in `.FOREIGN`, the language codes in `columns`."""

    reading = "moses zip"

    def rows(self) -> Iterator[Row]:
        """A row a line of both files; DataError if the zip is damaged or has not one file of each language."""
        path = self.files[0]
        try:
            with text_files.unpacked(path) as file, zipfile.ZipFile(file) as archive:
                names = [self._member(archive.namelist(), language) for language in self.columns]
                with archive.open(names[0]) as teacher, archive.open(names[1]) as foreign:
                    sources = (f"{path}/{names[0]}", f"{path}/{names[1]}")
                    yield from _paired(lines_of(teacher, sources[0]), lines_of(foreign, sources[1]), sources)
        except _DAMAGED as error:
            raise DataError(f"{path} cannot be read as a zip ({one_line(error)}); check that it is whole") from error

    def _member(self, held: list[str], language: str) -> str:
        found = [name for name in held if name.endswith(f".{language}") and not is_hidden(name)]
        if len(found) != 1:
            raise DataError(
                f"{self.files[0]}: expected one file that ends in .{language}, found {listed(found or held)}; name "
                "the languages as the zip does with `columns`, or unpack it and name two files"
            )
        return found[0]


def _paired(teacher: Lines, foreign: Lines, names: tuple[str, str]) -> Iterator[Row]:
    """Two streams of lines as rows, without blank lines at the end of both, or after the end of one."""
    done, counts, uneven = 0, [0, 0], False
    for number, pair in enumerate(zip_longest(teacher, foreign), start=1):
        counts = [number if line else count for line, count in zip(pair, counts, strict=True)]
        ours, theirs = (line[1].strip() if line else "" for line in pair)
        if None in pair:
            uneven |= bool(ours or theirs)
        elif ours or theirs:
            yield from (Row(Place(names[0], blank), "", "") for blank in range(done + 1, number))
            yield Row(Place(names[0], number), ours, theirs)
            done = number
    if uneven:
        raise DataError(
            f"{names[0]} has {counts[0]} lines and {names[1]} has {counts[1]}; "
            "expected as many, line by line translations of each other"
        )
