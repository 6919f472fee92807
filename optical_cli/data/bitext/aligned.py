"""Two files whose lines are translations of each other, as Moses and OPUS have them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.rows import Row, digest_of
from optical_cli.data.lines import every_line
from optical_cli.data.places import Place
from optical_cli.errors import DataError

Lines = Iterable[tuple[Place, str]]


@dataclass(frozen=True)
class Aligned:
    """The teacher's side in one file, the foreign one in another."""

    teacher: Path
    foreign: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 over the digests of both files, in their order."""
        return digest_of([self.teacher, self.foreign], memo)

    def rows(self) -> Iterator[Row]:
        """A row a line of each; DataError if one file goes on after the other's end."""
        names = (str(self.teacher), str(self.foreign))
        return paired(every_line(self.teacher), every_line(self.foreign), names)


def paired(teacher: Lines, foreign: Lines, names: tuple[str, str]) -> Iterator[Row]:
    """Two streams of lines as rows; blank lines at the end of both, or after the end of one, are left out.

    Raises:
        DataError: one has a sentence where the other has ended.
    """
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
