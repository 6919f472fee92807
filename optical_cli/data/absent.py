"""Inputs that may not be on this machine: whether they may be downloaded, what is here, what stands for the rest."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import NotHere

MARK = "not here: "  # begins the fingerprint of a stand-in; key material that contains it has no key yet

_allowed: ContextVar[bool] = ContextVar("downloads_allowed", default=True)


def downloads_allowed() -> bool:
    """Whether absent inputs may be downloaded now."""
    return _allowed.get()


@contextmanager
def downloads_off(off: bool = True) -> Iterator[None]:
    """Have readers raise NotHere for what they would have to download; with `off=False`, change nothing."""
    token = _allowed.set(_allowed.get() and not off)
    try:
        yield
    finally:
        _allowed.reset(token)


def before_download(absent: str) -> None:
    """Raise NotHere if downloads are off; `absent` says what is missing and where it was looked for."""
    if not downloads_allowed():
        raise not_here(absent)


def not_here(absent: str) -> NotHere:
    """The error of an input that must not be downloaded."""
    return NotHere(f"{absent}, and downloads are off; `optical fetch` brings it where there is a network")


@dataclass(frozen=True)
class LocalCopy:
    """What this machine has of an input."""

    place: Path
    size: int | None  # bytes of its files, if known
    revision: str | None = None  # the commit of what came from the Hugging Face hub
    downloaded: bool = False  # it lies in another library's cache, which could be emptied


def size_of(files: Iterable[Path]) -> int:
    """Total bytes of files."""
    return sum(path.stat().st_size for path in files)


@dataclass(frozen=True)
class StandIn:
    """Takes the place of a source that is not here, and says why, where keys are worked out and nothing is read."""

    name: str
    reason: str

    def fingerprint(self, _memo: Fingerprints) -> str:
        """A mark in place of a digest."""
        return f"{MARK}{self.reason}"

    def count(self) -> None:
        """Unknown."""

    def refuse(self, *_: object) -> NoReturn:
        """Raise NotHere with the reason."""
        raise NotHere(self.reason)

    local_copy = documents = topics = judgements = refuse
