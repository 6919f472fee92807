"""Which rows of a bitext are pairs to learn from, and which of the pairs are held out of the training."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from optical_cli.config.bitext import Filter
from optical_cli.data.bitext.rows import Row
from optical_cli.errors import DataError

REASONS = ("empty", "equal", "length_ratio", "too_long", "duplicate")
"""Why a row is dropped, in the order of the checks; a row counts for the first that holds."""

SAMPLE = 5
"""Dropped rows of each reason that are kept to be looked at."""

SPLIT_SEED = 13
"""Fixed: the seeds of an experiment vary the training, never its data."""


@dataclass(frozen=True)
class SentencePair:
    """A sentence of the teacher's language and its translation."""

    row: int  # position in the source, from 0, whichever rows are dropped
    teacher: str
    foreign: str


class Dropped(NamedTuple):
    """A row that is not used, and why."""

    reason: str
    row: Row


@dataclass(frozen=True)
class Selection:
    """The part of a bitext that is used."""

    pairs: tuple[SentencePair, ...]  # no two alike
    rows: int  # of the source
    dropped: Mapping[str, int]  # rows that are not used, for every reason
    sample: tuple[Dropped, ...]  # the first of each reason


def select_pairs(rows: Iterable[Row], settings: Filter) -> Selection:
    """Drop rows that teach nothing, and those that repeat an earlier one word for word."""
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


@dataclass(frozen=True)
class Split:
    """The pairs of a bitext that an experiment uses, in the order of their rows in the encodings."""

    train: tuple[SentencePair, ...]
    held_out: tuple[SentencePair, ...]

    @property
    def pairs(self) -> tuple[SentencePair, ...]:
        """Training pairs, then held-out ones."""
        return self.train + self.held_out


def split_bitext(pairs: Sequence[SentencePair], held_out: int, max_pairs: int | None, name: str) -> Split:
    """Draw the held-out pairs, then at most `max_pairs` of the rest to train on, the same ones every time.

    Pairs that share a sentence with a held-out one are not trained on. DataError if none is left.
    """
    shuffled = list(pairs)
    random.Random(SPLIT_SEED).shuffle(shuffled)  # noqa: S311 - a sample, not a secret
    watched = shuffled[:held_out]
    seen = {text for pair in watched for text in (pair.teacher, pair.foreign)}
    rest = [pair for pair in shuffled[held_out:] if pair.teacher not in seen and pair.foreign not in seen]
    train = rest if max_pairs is None else rest[:max_pairs]
    if not train:
        raise DataError(
            f"{name}: {len(pairs)} pairs, and {held_out} of them held out: none is left to train on; "
            "lower bitext.*.held_out or give more pairs"
        )
    return Split(tuple(train), tuple(watched))
