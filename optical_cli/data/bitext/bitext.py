"""A bitext of an experiment: which of its rows are pairs to learn from, held out of the training, or dropped."""

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
from optical_cli.data.bitext.dataset import DatasetFolder, HubDataset, open_dataset
from optical_cli.data.bitext.rows import Row, RowFiles
from optical_cli.data.paths import PREFIX, as_path, builtin_path
from optical_cli.errors import DataError

DROPPED = "dropped.jsonl"
_SHOWN = 500  # characters of a side: an over-long row may be a book
REASONS = ("empty", "equal", "length_ratio", "too_long", "duplicate")  # why a row is dropped; the first counts
SAMPLE = 5  # dropped rows of each reason that are kept to be looked at
SPLIT_SEED = 13  # fixed: the seeds of an experiment vary the training, never its data


@dataclass(frozen=True)
class SentencePair:
    """A sentence of the teacher's language and its translation."""

    row: int  # position in the source, from 0, whichever rows are dropped
    teacher: str
    foreign: str


@dataclass(frozen=True)
class Selection:
    """The part of a bitext that is used."""

    pairs: tuple[SentencePair, ...]  # no two alike
    rows: int  # of the source
    dropped: Mapping[str, int]  # rows that are not used, for every reason
    sample: tuple[tuple[str, Row], ...]  # the first that are not used for each reason, with it


@dataclass(frozen=True)
class Bitext:
    """The sentence pairs of a source that its filter lets pass."""

    name: str
    source: RowFiles | DatasetFolder | HubDataset
    filter: Filter

    def fingerprint(self, memo: Fingerprints) -> str:
        """64 hex digits that differ where the rows of the source differ; the filter has no part in them."""
        return self.source.fingerprint(memo)

    def local_copy(self, _memo: Fingerprints | None = None, /) -> LocalCopy:
        """What this machine has of it, without a network; NotHere if it would have to be downloaded."""
        return self.source.local_copy()

    @cached_property
    def selection(self) -> Selection:
        """The pairs that are used, and counts of the rows that are not; DataError if no pair is."""
        selection = select_pairs(self.source.rows(), self.filter)
        if not selection.pairs:
            counts = [f"{count} {reason}" for reason, count in selection.dropped.items() if count]
            found = f"{selection.rows} rows of which none can be used ({', '.join(counts)})" if counts else "none"
            raise DataError(f"{self.name} holds no sentence pair: expected at least one, found {found}")
        return selection

    def pairs(self) -> list[SentencePair]:
        """The pairs that are used, in the order of the source."""
        return list(self.selection.pairs)


def open_bitext(settings: Settings, languages: tuple[str, str], base: Path) -> Bitext:
    """Find a bitext; nothing of it is read yet. DataError if a file does not exist.

    The teacher's language and the foreign one name the columns unless the settings do; relative paths start at `base`.
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
        known = ", ".join(known.sentence for known in FORMATS.values())
        raise DataError(
            f"{path} is a folder; name a file, two files ({known}), or a folder of a dataset as bitext.*.dataset"
        )
    if not path.exists():
        raise DataError(f"{path} does not exist; relative paths count from the folder of the experiment file")
    return path


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
            sample.append((reason, row))
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


def record_dropped(bitext: Bitext, split: "Split", folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a sample of the dropped rows into a folder, say how many there are, and return counts for the manifest."""
    selection = bitext.selection
    with (folder / DROPPED).open("w", encoding="utf-8") as file:
        for reason, (place, teacher, foreign) in selection.sample:
            sides = {"teacher": teacher[:_SHOWN], "foreign": foreign[:_SHOWN]}
            line = json.dumps({"reason": reason, place.unit: place.number, **sides}, ensure_ascii=False)
            file.write(f"{line}\n")
    counts = [f"{count} {reason}" for reason, count in selection.dropped.items() if count]
    if counts:
        share = f"{sum(selection.dropped.values())} of {selection.rows} rows are not used ({', '.join(counts)})"
        say(f"{bitext.name}: {share}; some of each stand in the encodings' {DROPPED}")
    if split.sharing:
        say(f"{bitext.name}: {split.sharing_in_words}")
    used = {"trained": len(split.train), "held_out": len(split.held_out), "sharing_with_held_out": split.sharing}
    return {"rows": selection.rows, "kept": len(selection.pairs), "dropped": dict(selection.dropped), **used}


@dataclass(frozen=True)
class Split:
    """The pairs of a bitext that an experiment uses, in the order of their rows in the encodings."""

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
    sharing = len(shuffled) - len(watched) - len(rest)
    if not train:
        shared = f", and {sharing} that share a sentence with these" if sharing else ""
        raise DataError(
            f"{name}: {len(pairs)} pairs, {held_out} of them held out{shared}: none is left to train on; "
            "lower bitext.*.held_out or give more pairs"
        )
    return Split(tuple(train), tuple(watched), sharing)
