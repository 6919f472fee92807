"""Inputs that may be missing on this machine: permission to download, local copies, and placeholders in keys."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import NotHere

MARK = "not here: "  # start of the fingerprint of a missing source; with it in its material, a key is unknown

_allowed: ContextVar[bool] = ContextVar("downloads_allowed", default=True)


def downloads_allowed() -> bool:
    """Return whether missing inputs may be downloaded in this context."""
    return _allowed.get()


@contextmanager
def downloads_off(off: bool = True) -> Iterator[None]:
    """Turn downloads off in this context: readers raise NotHere instead. `off=False` changes nothing."""
    token = _allowed.set(_allowed.get() and not off)
    try:
        yield
    finally:
        _allowed.reset(token)


def before_download(absent: str) -> None:
    """Raise NotHere if downloads are off; `absent` describes what is missing, and where it was searched for."""
    if not downloads_allowed():
        raise not_here(absent)


def not_here(absent: str) -> NotHere:
    """Return the error of a missing input while downloads are off."""
    return NotHere(f"{absent}, and downloads are off; run `optical fetch` on a machine with network access")


@dataclass(frozen=True)
class LocalCopy:
    """The local copy of an input."""

    place: Path
    size: int | None  # bytes of its files; None if unknown
    revision: str | None = None  # commit on the Hugging Face hub, if it came from there
    downloaded: bool = False  # whether it is in the download cache of another library, which may be emptied


def size_of(files: Iterable[Path]) -> int:
    """Return the total size of files in bytes."""
    return sum(path.stat().st_size for path in files)


@dataclass(frozen=True)
class MissingSource:
    """Placeholder for a source that is not on this machine, while keys are computed and nothing is read."""

    name: str
    reason: str

    def fingerprint(self, _memo: Fingerprints) -> str:
        """Return a mark with the reason, in place of a digest."""
        return f"{MARK}{self.reason}"

    def count(self) -> None:
        """Return None: the number of documents is unknown."""

    def refuse(self, *_: object) -> NoReturn:
        """Raise NotHere with the reason."""
        raise NotHere(self.reason)

    local_copy = documents = topics = judgements = refuse
