"""Bitexts of the Hugging Face `datasets` library, from a folder or the hub."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.bitext import Bitext as Settings
from optical_cli.data.absent import LocalCopy
from optical_cli.data.bitext.rows import TRANSLATION, Row, row_of
from optical_cli.data.dataset_split import DatasetSplit, split_of

_READING = 1  # raised when rows are read in another way, so that remembered fingerprints expire
DEFAULT_SPLIT = Settings.model_fields["split"].default


@dataclass(frozen=True)
class Dataset:
    """A bitext in a split of a dataset."""

    split: DatasetSplit
    columns: tuple[str, str]  # names of the teacher's column and of the translations

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of the rows. The library's files of the same rows differ between machines."""
        name = f"rows of a dataset, reading {_READING}: {self.split.state(memo, *self.columns)}"
        return memo.of_stream(name, lambda: (json.dumps([row.teacher, row.foreign]).encode() for row in self.rows()))

    def local_copy(self) -> LocalCopy:
        """Return where the dataset is on this machine, and its size; NotHere if it is not."""
        return self.split.local_copy()

    def rows(self) -> Iterator[Row]:
        """Stream a row for each record of the split."""
        return (row_of(record, self.columns, place) for place, record in self.split.records(self._wanted))

    def _wanted(self, known: Sequence[str]) -> Sequence[str]:
        return self.columns if set(self.columns) <= set(known) else [TRANSLATION]


def open_dataset(settings: Settings, name: str, columns: tuple[str, str], base: Path) -> Dataset:
    """Open a dataset, given its folder or its Hugging Face id; DataError if `name` is neither."""
    named = "split" in settings.model_fields_set and settings.split != DEFAULT_SPLIT
    split = split_of(name, settings.config, settings.split, settings.revision, "bitext.*", base, named=named)
    return Dataset(split, columns)
