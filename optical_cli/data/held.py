"""What this machine holds of an input."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Held:
    """An input that is on this machine.

    Attributes:
        place: its file or folder.
        size: bytes of its files; None where that is not known.
        revision: the commit of the hub it is at; None of what has none.
        downloaded: whether it lies in another library's cache, which could be emptied.
    """

    place: Path
    size: int | None
    revision: str | None = None
    downloaded: bool = False


def size_of(files: Iterable[Path]) -> int:
    """Bytes of files together."""
    return sum(path.stat().st_size for path in files)
