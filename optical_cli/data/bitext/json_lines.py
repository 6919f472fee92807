"""A JSON object a line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.columns import row_of
from optical_cli.data.bitext.rows import Row, digest_of
from optical_cli.data.json_record import json_object
from optical_cli.data.lines import read_lines


@dataclass(frozen=True)
class JsonLines:
    """A file of JSON objects; the keys of the teacher's sentence and of its translation."""

    path: Path
    columns: tuple[str, str]

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the file's digest and of the keys."""
        return digest_of([self.path], memo, "jsonl", *self.columns)

    def rows(self) -> Iterator[Row]:
        """A row a line; DataError if a line is no JSON object or lacks a key."""
        for place, line in read_lines(self.path):
            yield row_of(json_object(place, line), self.columns, place)
