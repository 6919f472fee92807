"""Which rows of a bitext are pairs to learn from, and what became of the others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from optical_cli.config.bitext import Filter
from optical_cli.data.bitext.rows import Row

REASONS = ("empty", "equal", "length_ratio", "too_long", "duplicate")
"""Why a row is dropped, in the order in which they are asked; a row counts for the first that holds."""

SAMPLE = 5
"""Dropped rows of a reason that are kept to be looked at."""


@dataclass(frozen=True)
class SentencePair:
    """A sentence of the teacher's language and its translation.

    `row` is its position in the source, from 0; it stays the same when other rows are dropped.
    """

    row: int
    teacher: str
    foreign: str


class Dropped(NamedTuple):
    """A row that is not used, and why."""

    reason: str
    row: Row


@dataclass(frozen=True)
class Selection:
    """What of a bitext is used.

    Attributes:
        pairs: the pairs, no two alike.
        rows: how many the source holds.
        dropped: how many of them are not used, by reason; every reason is there.
        sample: the first of each reason.
    """

    pairs: tuple[SentencePair, ...]
    rows: int
    dropped: Mapping[str, int]
    sample: tuple[Dropped, ...]


def select_pairs(rows: Iterable[Row], settings: Filter) -> Selection:
    """Sort out rows that teach nothing, and those that were there before, word for word."""
    kept: dict[tuple[str, str], SentencePair] = {}
    counts, sample, number = dict.fromkeys(REASONS, 0), [], 0
    for number, row in enumerate(rows, start=1):
        both = (row.teacher, row.foreign)
        reason = _fault_of(*both, settings) or ("duplicate" if both in kept else None)
        if reason is None:
            kept[both] = SentencePair(number - 1, *both)
            continue
        counts[reason] += 1
        if counts[reason] <= SAMPLE:
            sample.append(Dropped(reason, row))
    return Selection(tuple(kept.values()), number, counts, tuple(sample))


def _fault_of(teacher: str, foreign: str, settings: Filter) -> str | None:
    if not teacher or not foreign:
        return "empty"
    if settings.equal and teacher.casefold() == foreign.casefold():
        return "equal"
    shorter, longer = sorted((len(teacher), len(foreign)))
    if settings.length_ratio is not None and longer > settings.length_ratio * shorter:
        return "length_ratio"
    if settings.max_characters is not None and longer > settings.max_characters:
        return "too_long"
    return None
