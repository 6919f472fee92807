"""Bitext: sentences of the teacher's language, each with its translation."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.builtin import PREFIX, builtin_bitext
from optical_cli.data.file_digest import file_digest
from optical_cli.data.lines import read_lines
from optical_cli.data.locations import as_path
from optical_cli.data.places import quoted
from optical_cli.errors import DataError


@dataclass(frozen=True)
class SentencePair:
    """A sentence of the teacher's language and its translation.

    `row` is its position in the source, from 0; it stays the same when other rows are dropped.
    """

    row: int
    teacher: str
    foreign: str


@dataclass(frozen=True)
class Bitext:
    """One TSV file (`teacher TAB foreign`), or two line-aligned files (teacher's, foreign)."""

    name: str
    files: tuple[Path, ...]

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 over the digests of the files, 64 hex digits."""
        digests = [file_digest(path, memo) for path in self.files]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def pairs(self) -> list[SentencePair]:
        """The sentence pairs, without those that were there before, word for word.

        Raises:
            DataError: a sentence has no translation, a line has a third column, or there is no pair at all.
        """
        return list(self._first_seen.values())

    @property
    def rows(self) -> int:
        """How many pairs the source holds."""
        return len(self._all)

    @property
    def duplicates(self) -> int:
        """How many of them were dropped as identical to an earlier one; nothing else is dropped."""
        return self.rows - len(self._first_seen)

    @cached_property
    def _all(self) -> list[tuple[str, str]]:
        pairs = list(_aligned(*self.files) if len(self.files) == 2 else _tsv(self.files[0]))
        if not pairs:
            raise DataError(f"{self.name} holds no sentence pair; expected at least one")
        return pairs

    @cached_property
    def _first_seen(self) -> dict[tuple[str, str], SentencePair]:
        first: dict[tuple[str, str], SentencePair] = {}
        for row, pair in enumerate(self._all):
            first.setdefault(pair, SentencePair(row, *pair))
        return first


def open_bitext(source: str | tuple[str, str], base: Path) -> Bitext:
    """Find a bitext: `builtin:tiny`, a TSV file, or two line-aligned files; each plain or gzipped.

    Relative paths count from `base`.

    Raises:
        DataError: a file does not exist.
    """
    if isinstance(source, str):
        path = builtin_bitext(source) if source.startswith(PREFIX) else _file(source, base)
        return Bitext(source, (path,))
    teacher, foreign = source
    return Bitext(f"{teacher} + {foreign}", (_file(teacher, base), _file(foreign, base)))


def _file(source: str, base: Path) -> Path:
    path = as_path(source, base)
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a TSV file, or two files with a sentence on each line")
    if not path.exists():
        raise DataError(f"{path} does not exist; relative paths count from the folder of the experiment file")
    return path


def _tsv(path: Path) -> Iterator[tuple[str, str]]:
    for place, line in read_lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) > 2:
            found = f"{len(columns)} columns in {quoted(line)}"
            mend = "remove the further columns, or the tabs inside a sentence"
            raise place.fault(expected="two columns, sentence TAB translation", found=found, mend=mend)
        if len(columns) < 2 or not all(columns):
            mend = "add the missing side or remove the line"
            raise place.fault(expected="a sentence TAB its translation", found=quoted(line), mend=mend)
        yield columns[0], columns[1]


def _aligned(teacher: Path, foreign: Path) -> Iterator[tuple[str, str]]:
    ours, theirs = _sentences(teacher), _sentences(foreign)
    for one, other in zip_longest(ours, theirs):
        if one is None or other is None:
            raise _uneven(teacher, foreign)
        yield one, other


def _sentences(path: Path) -> Iterator[str]:
    for place, line in read_lines(path):
        if not line.strip():
            mend = "add the sentence, or remove the line from both files"
            raise place.fault(expected="a sentence", found="a blank line", mend=mend)
        yield line.strip()


def _uneven(teacher: Path, foreign: Path) -> DataError:
    counts = [sum(1 for _ in read_lines(path)) for path in (teacher, foreign)]
    return DataError(
        f"{teacher} has {counts[0]} lines and {foreign} has {counts[1]}; "
        "expected as many, line by line translations of each other"
    )
