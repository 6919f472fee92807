"""The artifacts behind a report."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One artifact, from its manifest."""

    kind: str
    label: str
    key: str
    seconds: float
    size: int  # bytes
    tokens: int | None  # encoded; of encodings and indexes
    created: str
    commit: str | None
    versions: Mapping[str, str | None]
