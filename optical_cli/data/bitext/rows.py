"""Rows of sentence pairs, the base class of bitext files, and the formats with one row per line."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
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
# RuntimeError: an encrypted member, or (NotImplementedError) an unknown compression; ValueError: a name not in UTF-8
_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)
TRANSLATION = "translation"  # column of the `datasets` library with the sentences by language


class Row(NamedTuple):
    """A row of a bitext, with both sides stripped; a missing side is ""."""

    place: Place
    teacher: str
    foreign: str


@dataclass(frozen=True)
class RowFiles:
    """A bitext in files; the base class of the formats.

    `columns` are the names of the two sides in the files: keys or languages.
    """

    reading: ClassVar[str] = ""
    """Name of the format in fingerprints; "" if the rows do not depend on `columns`."""

    files: tuple[Path, ...]
    columns: tuple[str, str]

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return a fingerprint of the files, and of the columns if the rows depend on them, 64 hex digits."""
        return text_files.digest_of(self.files, memo, *((self.reading, *self.columns) if self.reading else ()))

    def local_copy(self) -> LocalCopy:
        """Return the first file and the size of all files."""
        return LocalCopy(self.files[0], size_of(self.files))

    def rows(self) -> Iterator[Row]:
        """Stream the rows; DataError if a file cannot be read, or a row is not in the format."""
        raise NotImplementedError


def row_of(record: object, columns: tuple[str, str], place: Place) -> Row:
    """Return the row of a record, whose columns may be inside `translation`.

    Raises:
        DataError: a column is missing, or is neither text nor null.
    """
    if not isinstance(record, Mapping):
        mend = 'write one JSON object on each line, such as {"en": ..., "yo": ...}'
        raise place.fault(expected="a record with named columns", found=quoted(record), mend=mend)
    inner = record.get(TRANSLATION)
    if isinstance(inner, Mapping) and not all(column in record for column in columns):
        record = inner
    teacher, foreign = (_side(record, column, place) for column in columns)
    return Row(place, teacher, foreign)


def _side(record: Mapping[str, Any], column: str, place: Place) -> str:
    if column not in record:
        mend = "set `columns` to the names of the teacher's column and of the translations"
        found = listed([str(name) for name in record])
        raise place.fault(expected=f"a column {quoted(column)}", found=found, mend=mend)
    value = record[column]
    return "" if value is None else text_files.checked_text(value, column, place, "name another column").strip()


class Tsv(RowFiles):
    """TSV: lines of `sentence TAB translation`. A blank line is a row with two empty sides."""

    def rows(self) -> Iterator[Row]:
        """Stream a row for each line; DataError if a line does not have two columns."""
        mend = "add the missing side, or remove further columns and tabs inside a sentence"
        for place, line in text_files.read_lines(self.files[0]):
            columns = columns_of(place, line, 2, "sentence TAB translation", mend) if line.strip() else ["", ""]
            yield Row(place, columns[0].strip(), columns[1].strip())


class JsonLines(RowFiles):
    """JSON Lines: a JSON object on each line; `columns` are the keys of the two sentences."""

    reading = "jsonl"

    def rows(self) -> Iterator[Row]:
        """Stream a row for each line; DataError if a line is not a JSON object or lacks a key."""
        for place, line in text_files.read_lines(self.files[0]):
            yield row_of(text_files.json_object(place, line), self.columns, place)


class Aligned(RowFiles):
    """Two files aligned by line: each line of the second translates the same line of the first."""

    def rows(self) -> Iterator[Row]:
        """Stream a row for each line; DataError if one file is longer than the other."""
        teacher, foreign = self.files
        return _paired(text_files.every_line(teacher), text_files.every_line(foreign), (str(teacher), str(foreign)))


class MosesZip(RowFiles):
    """A Moses zip of OPUS: two files aligned by line, whose names end in the language codes in `columns`."""

    reading = "moses zip"

    def rows(self) -> Iterator[Row]:
        """Stream a row for each line; DataError if the zip is damaged, or lacks a file for a language or has two."""
        path = self.files[0]
        try:
            with text_files.unpacked(path) as file, zipfile.ZipFile(file) as archive:
                names = [self._member(archive.namelist(), language) for language in self.columns]
                with archive.open(names[0]) as teacher, archive.open(names[1]) as foreign:
                    sources = (f"{path}/{names[0]}", f"{path}/{names[1]}")
                    yield from _paired(lines_of(teacher, sources[0]), lines_of(foreign, sources[1]), sources)
        except _DAMAGED as error:
            raise DataError(f"{path} cannot be read as a zip ({one_line(error)}); check that it is complete") from error

    def _member(self, names: list[str], language: str) -> str:
        found = [name for name in names if name.endswith(f".{language}") and not is_hidden(name)]
        if len(found) != 1:
            raise DataError(
                f"{self.files[0]}: expected one file whose name ends in .{language}, found {listed(found or names)}; "
                "set `columns` to the languages as the zip names them, or unpack the zip and name two files"
            )
        return found[0]


def _paired(teacher: Lines, foreign: Lines, names: tuple[str, str]) -> Iterator[Row]:
    """Join two streams of lines into rows, without the blank lines at their ends."""
    done, counts, uneven = 0, [0, 0], False
    for number, pair in enumerate(zip_longest(teacher, foreign), start=1):
        counts = [number if line else count for line, count in zip(pair, counts, strict=True)]
        sentence, translation = (line[1].strip() if line else "" for line in pair)
        if None in pair:
            uneven |= bool(sentence or translation)
        elif sentence or translation:
            yield from (Row(Place(names[0], blank), "", "") for blank in range(done + 1, number))
            yield Row(Place(names[0], number), sentence, translation)
            done = number
    if uneven:
        raise DataError(
            f"{names[0]} has {counts[0]} lines and {names[1]} has {counts[1]}; "
            "expected equally many, each line the translation of the same line in the other file"
        )
