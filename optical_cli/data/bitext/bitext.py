"""A bitext of an experiment: which rows are dropped, and which pairs are held out of the training."""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.bitext import Bitext as Settings
from optical_cli.config.bitext import Filter
from optical_cli.config.bitext_formats import FORMATS
from optical_cli.data.absent import LocalCopy
from optical_cli.data.bitext.dataset import Dataset, open_dataset
from optical_cli.data.bitext.rows import Row, RowFiles
from optical_cli.data.paths import PREFIX, as_path, builtin_path, exists
from optical_cli.data.text_files import is_blank
from optical_cli.errors import DataError

DROPPED = "dropped.jsonl"
_SHOWN = 500  # characters of a side in the sample of dropped rows
REASONS = ("empty", "equal", "length_ratio", "too_long", "duplicate")  # why rows are dropped; the first that applies
SAMPLE = 5  # dropped rows of each reason to write out
SPLIT_SEED = 13  # constant, because the seeds of an experiment vary the training and never its data


@dataclass(frozen=True)
class SentencePair:
    """A sentence in the teacher's language and its translation."""

    row: int  # position in the source, from 0, dropped rows included
    teacher: str
    foreign: str


@dataclass(frozen=True)
class Selection:
    """The rows of a bitext that its filter keeps, and counts of those that it drops."""

    pairs: tuple[SentencePair, ...]  # without duplicates
    rows: int  # number of rows in the source
    dropped: Mapping[str, int]  # number of dropped rows by reason
    sample: tuple[tuple[str, Row], ...]  # the first dropped rows of each reason, with the reason


@dataclass(frozen=True)
class Bitext:
    """The sentence pairs of a source, after its filter."""

    name: str
    source: RowFiles | Dataset
    filter: Filter

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the fingerprint of the source's rows, 64 hex digits. It does not depend on the filter."""
        return self.source.fingerprint(memo)

    def local_copy(self, _memo: Fingerprints | None = None, /) -> LocalCopy:
        """Return the local copy; NotHere if the source would have to be downloaded."""
        return self.source.local_copy()

    @cached_property
    def selection(self) -> Selection:
        """The pairs that are kept, and counts of dropped rows; DataError if no pair is kept."""
        selection = select_pairs(self.source.rows(), self.filter)
        if not selection.pairs:
            counts = [f"{count} {reason}" for reason, count in selection.dropped.items() if count]
            found = f"{selection.rows} rows, all dropped ({', '.join(counts)})" if counts else "none"
            raise DataError(f"{self.name}: expected at least one sentence pair, found {found}")
        return selection

    def pairs(self) -> list[SentencePair]:
        """Return the pairs that are kept, in the order of the source."""
        return list(self.selection.pairs)


def open_bitext(settings: Settings, languages: tuple[str, str], base: Path) -> Bitext:
    """Open a bitext, without reading it; DataError if a file does not exist.

    Args:
        languages: the teacher's language and the foreign one, which name the columns unless the settings do.
        base: folder that relative paths start from.
    """
    columns = (settings.columns[0], settings.columns[1]) if settings.columns else languages
    if settings.dataset is not None:
        return Bitext(settings.dataset, open_dataset(settings, settings.dataset, columns, base), settings.filter)
    names = settings.source or ()
    reader: type[RowFiles] = resolve_name(f"{__package__}.{FORMATS[settings.format].reader}")
    return Bitext(" + ".join(names), reader(tuple(_file(name, base) for name in names), columns), settings.filter)


def _file(source: str, base: Path) -> Path:
    path = builtin_path("bitext", source) if source.startswith(PREFIX) else as_path(source, base)
    if path.is_dir():
        known = ", ".join(format_.sentence for format_ in FORMATS.values())
        raise DataError(f"{path} is a folder; expected {known}. Name the folder of a dataset as bitext.*.dataset")
    if not exists(path):
        raise DataError(f"{path} does not exist; relative paths start from the folder of the experiment file")
    return path


def select_pairs(rows: Iterable[Row], settings: Filter) -> Selection:
    """Drop the rows that the filter refuses, and those that repeat an earlier row."""
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
            sample.append((reason, row))
    return Selection(tuple(kept.values()), number, counts, tuple(sample))


def _fault_of(teacher: str, foreign: str, settings: Filter) -> str | None:
    if is_blank(teacher) or is_blank(foreign):
        return "empty"
    if settings.equal and teacher.casefold() == foreign.casefold():
        return "equal"
    shorter, longer = sorted((len(teacher), len(foreign)))
    if settings.length_ratio is not None and longer > settings.length_ratio * shorter:
        return "length_ratio"
    if settings.max_characters is not None and longer > settings.max_characters:
        return "too_long"
    return None


def record_dropped(bitext: Bitext, split: "Split", folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a sample of the dropped rows into a folder, report their number, and return counts for the manifest."""
    selection = bitext.selection
    with (folder / DROPPED).open("w", encoding="utf-8") as file:
        for reason, (place, teacher, foreign) in selection.sample:
            sides = {"teacher": teacher[:_SHOWN], "foreign": foreign[:_SHOWN]}
            line = json.dumps({"reason": reason, place.unit: place.number, **sides}, ensure_ascii=False)
            file.write(f"{line}\n")
    counts = [f"{count} {reason}" for reason, count in selection.dropped.items() if count]
    if counts:
        share = f"{sum(selection.dropped.values())} of {selection.rows} rows dropped ({', '.join(counts)})"
        say(f"{bitext.name}: {share}; examples are in {DROPPED} of the encodings")
    if split.sharing:
        say(f"{bitext.name}: {split.sharing_in_words}")
    used = {"trained": len(split.train), "held_out": len(split.held_out), "sharing_with_held_out": split.sharing}
    return {"rows": selection.rows, "kept": len(selection.pairs), "dropped": dict(selection.dropped), **used}


@dataclass(frozen=True)
class Split:
    """The training pairs and the held-out pairs of a bitext, in the order of their encodings."""

    train: tuple[SentencePair, ...]
    held_out: tuple[SentencePair, ...]
    sharing: int = 0  # pairs that share a sentence with a held-out one, and are not trained on

    @property
    def sharing_in_words(self) -> str:
        """What became of the pairs that share a sentence with a held-out one."""
        watched = f"one of the {len(self.held_out)} held-out pairs"
        return f"{self.sharing} pairs share a sentence with {watched} and are not trained on; {len(self.train)} are"

    @property
    def pairs(self) -> tuple[SentencePair, ...]:
        """Training pairs, then held-out pairs."""
        return self.train + self.held_out


def split_bitext(pairs: Sequence[SentencePair], held_out: int, max_pairs: int | None, name: str) -> Split:
    """Draw the held-out pairs, then at most `max_pairs` training pairs from the rest; the draw is always the same.

    Pairs that share a sentence with a held-out pair are not used for training. DataError if no training pair is left.
    """
    shuffled = list(pairs)
    random.Random(SPLIT_SEED).shuffle(shuffled)  # noqa: S311 - a sample, not a secret
    evaluated = shuffled[:held_out]
    known = {text for pair in evaluated for text in (pair.teacher, pair.foreign)}
    rest = [pair for pair in shuffled[held_out:] if pair.teacher not in known and pair.foreign not in known]
    train = rest if max_pairs is None else rest[:max_pairs]
    sharing = len(shuffled) - len(evaluated) - len(rest)
    if not train:
        shared = f", and {sharing} that share a sentence with these" if sharing else ""
        raise DataError(
            f"{name}: no pair is left to train on, with {held_out} of {len(pairs)} pairs held out{shared}; "
            "lower bitext.*.held_out or use a larger bitext"
        )
    return Split(tuple(train), tuple(evaluated), sharing)
