"""Lines of `sentence TAB translation`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.rows import Row, digest_of
from optical_cli.data.lines import read_lines
from optical_cli.errors import quoted


@dataclass(frozen=True)
class Tsv:
    """A file of two columns."""

    path: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the file's digest."""
        return digest_of([self.path], memo)

    def rows(self) -> Iterator[Row]:
        """A row a line; a line that is blank has two empty sides.

        Raises:
            DataError: a line has another number of columns.
        """
        for place, line in read_lines(self.path):
            columns = [column.strip() for column in line.split("\t")] if line.strip() else ["", ""]
            if len(columns) > 2:
                found = f"{len(columns)} columns in {quoted(line)}"
                mend = "remove the further columns, or the tabs inside a sentence"
                raise place.fault(expected="two columns, sentence TAB translation", found=found, mend=mend)
            if len(columns) < 2:
                mend = "add the missing side or remove the line"
                raise place.fault(expected="a sentence TAB its translation", found=quoted(line), mend=mend)
            yield Row(place, *columns)
