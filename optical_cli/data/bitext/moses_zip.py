"""The zip that OPUS gives for its Moses format: two line-aligned files among others."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.aligned import paired
from optical_cli.data.bitext.rows import Row, digest_of
from optical_cli.data.lines import lines_of
from optical_cli.data.locations import listed
from optical_cli.errors import DataError, one_line

# an encrypted member is a RuntimeError, an unknown packing a NotImplementedError, which is one; a name may be no UTF-8
_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class MosesZip:
    """A zip with one file that ends in `.TEACHER` and one that ends in `.FOREIGN`, by language code."""

    path: Path
    languages: tuple[str, str]

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the zip's digest and of the languages."""
        return digest_of([self.path], memo, "moses zip", *self.languages)

    def rows(self) -> Iterator[Row]:
        """A row a line of both files.

        Raises:
            DataError: the zip is damaged, has not one file of each language, or they are not aligned.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = [self._member(archive.namelist(), language) for language in self.languages]
                with archive.open(names[0]) as teacher, archive.open(names[1]) as foreign:
                    sources = (f"{self.path}/{names[0]}", f"{self.path}/{names[1]}")
                    yield from paired(lines_of(teacher, sources[0]), lines_of(foreign, sources[1]), sources)
        except _DAMAGED as error:
            said = one_line(error)
            raise DataError(f"{self.path} cannot be read as a zip ({said}); check that it is whole") from error

    def _member(self, held: list[str], language: str) -> str:
        found = [name for name in held if name.endswith(f".{language}")]
        if len(found) != 1:
            raise DataError(
                f"{self.path}: expected one file that ends in .{language}, found {listed(found or held)}; name the "
                "languages as the zip does with `columns`, or unpack it and name two files"
            )
        return found[0]
