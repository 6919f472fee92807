"""A bitext of an experiment: the reader of its format, the pairs that are used, a record of the rows that are not."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.bitext import FORMATS, Filter
from optical_cli.config.bitext import Bitext as Settings
from optical_cli.data.absent import LocalCopy
from optical_cli.data.bitext.dataset import DatasetFolder, HubDataset, open_dataset
from optical_cli.data.bitext.pairs import Selection, SentencePair, select_pairs
from optical_cli.data.bitext.rows import RowFiles
from optical_cli.data.paths import PREFIX, as_path, builtin_path
from optical_cli.errors import DataError

DROPPED = "dropped.jsonl"
_SHOWN = 500  # characters of a side: an over-long row may be a book


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


def record_dropped(bitext: Bitext, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Write a sample of the dropped rows into a folder, say how many there are, and return counts for the manifest."""
    selection = bitext.selection
    with (folder / DROPPED).open("w", encoding="utf-8") as file:
        for reason, (place, teacher, foreign) in selection.sample:
            sides = {"teacher": teacher[:_SHOWN], "foreign": foreign[:_SHOWN]}
            line = json.dumps({"reason": reason, place.unit: place.number, **sides}, ensure_ascii=False)
            file.write(f"{line}\n")
    counts = [f"{count} {reason}" for reason, count in selection.dropped.items() if count]
    if counts:
        share = f"{sum(selection.dropped.values())} of {selection.rows} rows"
        some = f"some of each stand in the encodings' {DROPPED}"
        say(f"{bitext.name}: {share} are not used ({', '.join(counts)}); {some}")
    return {"rows": selection.rows, "kept": len(selection.pairs), "dropped": dict(selection.dropped)}
