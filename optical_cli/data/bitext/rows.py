"""What every format gives: rows of two sentences, and a fingerprint of them."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.file_digest import file_digest
from optical_cli.data.places import Place


class Row(NamedTuple):
    """A row of a source as it stands there: both sides stripped, "" where one is missing."""

    place: Place
    teacher: str
    foreign: str


class RowSource(Protocol):
    """A bitext in one of the formats."""

    def fingerprint(self, memo: Fingerprints) -> str:
        """64 hex digits that differ where the rows differ."""
        ...

    def rows(self) -> Iterator[Row]:
        """Read it from the start.

        Raises:
            DataError: it cannot be read, or a row is not what the format has.
        """
        ...


def digest_of(files: Sequence[Path], memo: Fingerprints, *reading: str) -> str:
    """SHA-256 over the digests of files and over what decides how they are read, 64 hex digits."""
    digests = [file_digest(path, memo) for path in files]
    return hashlib.sha256("\n".join([*digests, *reading]).encode()).hexdigest()
