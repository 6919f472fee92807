"""What every format gives: rows of two sentences, and a fingerprint of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, size_of
from optical_cli.data.paths import listed
from optical_cli.data.text_files import Place, checked_text, file_digest
from optical_cli.errors import quoted

TRANSLATION = "translation"
"""The column under which the datasets library keeps a sentence by language."""


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
    digests = [file_digest(path, memo) for path in files]
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
    return "" if value is None else checked_text(value, column, place, "name another column").strip()
