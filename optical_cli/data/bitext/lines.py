"""Formats with a row a line: TSV, JSON Lines, and line-aligned files as OPUS has them for Moses, two or in a zip."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from optical_cli.data.bitext.rows import Row, RowFiles, row_of
from optical_cli.data.paths import listed
from optical_cli.data.text_files import Place, columns_of, every_line, json_object, lines_of, read_lines, unpacked
from optical_cli.errors import DataError, one_line

Lines = Iterable[tuple[Place, str]]

# an encrypted member is a RuntimeError, an unknown packing a NotImplementedError, which is one; a name may be no UTF-8
_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)


class Tsv(RowFiles):
    """Lines of `sentence TAB translation`; a blank line is a row with two empty sides."""

    def rows(self) -> Iterator[Row]:
        """A row a line; DataError if a line has another number of columns."""
        mend = "add a missing side, or remove further columns and tabs inside a sentence"
        for place, line in read_lines(self.files[0]):
            columns = columns_of(place, line, 2, "sentence TAB translation", mend) if line.strip() else ["", ""]
            yield Row(place, columns[0].strip(), columns[1].strip())


class JsonLines(RowFiles):
    """A JSON object a line; `columns` are the keys of the two sentences."""

    reading = "jsonl"

    def rows(self) -> Iterator[Row]:
        """A row a line; DataError if a line is no JSON object or lacks a key."""
        for place, line in read_lines(self.files[0]):
            yield row_of(json_object(place, line), self.columns, place)


class Aligned(RowFiles):
    """Two files, of which each line of the second translates that of the first."""

    def rows(self) -> Iterator[Row]:
        """A row a line of each; DataError if one file goes on after the other's end."""
        teacher, foreign = self.files
        return _paired(every_line(teacher), every_line(foreign), (str(teacher), str(foreign)))


class MosesZip(RowFiles):
    """A zip with one file that ends in `.TEACHER` and one that ends in `.FOREIGN`, the language codes in `columns`."""

    reading = "moses zip"

    def rows(self) -> Iterator[Row]:
        """A row a line of both files; DataError if the zip is damaged or has not one file of each language."""
        path = self.files[0]
        try:
            with unpacked(path) as file, zipfile.ZipFile(file) as archive:
                names = [self._member(archive.namelist(), language) for language in self.columns]
                with archive.open(names[0]) as teacher, archive.open(names[1]) as foreign:
                    sources = (f"{path}/{names[0]}", f"{path}/{names[1]}")
                    yield from _paired(lines_of(teacher, sources[0]), lines_of(foreign, sources[1]), sources)
        except _DAMAGED as error:
            raise DataError(f"{path} cannot be read as a zip ({one_line(error)}); check that it is whole") from error

    def _member(self, held: list[str], language: str) -> str:
        found = [name for name in held if name.endswith(f".{language}")]
        if len(found) != 1:
            raise DataError(
                f"{self.files[0]}: expected one file that ends in .{language}, found {listed(found or held)}; name "
                "the languages as the zip does with `columns`, or unpack it and name two files"
            )
        return found[0]


def _paired(teacher: Lines, foreign: Lines, names: tuple[str, str]) -> Iterator[Row]:
    """Two streams of lines as rows, without blank lines at the end of both, or after the end of one."""
    done = 0
    counts, uneven = [0, 0], False
    for pair in zip_longest(teacher, foreign):
        texts = [line[1].strip() if line else None for line in pair]
        counts = [count + (text is not None) for count, text in zip(counts, texts, strict=True)]
        ours, theirs = texts
        if ours is None or theirs is None:
            uneven |= bool(ours or theirs)
            continue
        if ours or theirs:
            yield from (Row(Place(names[0], number), "", "") for number in range(done + 1, counts[0]))
            yield Row(Place(names[0], counts[0]), ours, theirs)
            done = counts[0]
    if uneven:
        raise DataError(
            f"{names[0]} has {counts[0]} lines and {names[1]} has {counts[1]}; "
            "expected as many, line by line translations of each other"
        )
