"""Whether models and data that are not on this machine may be fetched now."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_allowed: ContextVar[bool] = ContextVar("downloads_allowed", default=True)


def downloads_allowed() -> bool:
    """Whether what is not here may be fetched."""
    return _allowed.get()


@contextmanager
def downloads_off() -> Iterator[None]:
    """Fetch nothing inside: what is not here raises NotHere."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)
