"""A dataset in a folder: parquet, JSONL or CSV files, or what `save_to_disk` left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.dataset_rows import datasets_library, fingerprint_of_rows, rows_of
from optical_cli.data.bitext.rows import Row, digest_of


@dataclass(frozen=True)
class DatasetFolder:
    """A folder that the datasets library can load."""

    path: Path
    config: str | None
    split: str
    columns: tuple[str, str]

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the rows."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file() and not self._hidden(path))
        names = [path.relative_to(self.path).as_posix() for path in files]
        state = digest_of(files, memo, *names, str(self.config), self.split, *self.columns)
        return fingerprint_of_rows(self, state, memo)

    def rows(self) -> Iterator[Row]:
        """A row a record of the split; DataError if the folder cannot be loaded or lacks a column."""
        with datasets_library(str(self.path), "check bitext.*.config and .split, and the files") as library:
            yield from rows_of(self._load(library), self.columns, f"{self.path} ({self.split})")

    def _load(self, library: Any) -> Any:
        if (self.path / "dataset_dict.json").exists():
            return library.load_from_disk(str(self.path))[self.split]
        if (self.path / "state.json").exists():
            return library.load_from_disk(str(self.path))
        # streamed: the library would copy the whole of it into its cache otherwise
        return library.load_dataset(str(self.path), self.config, split=self.split, streaming=True)

    def _hidden(self, path: Path) -> bool:
        return any(part.startswith(".") for part in path.relative_to(self.path).parts)
