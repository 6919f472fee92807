"""A dataset of the Hugging Face hub: from the library's cache if it is there, else downloaded into it."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.dataset_rows import datasets_library, fingerprint_of_rows, rows_of
from optical_cli.data.bitext.rows import Row, digest_of
from optical_cli.data.downloads import downloads_allowed
from optical_cli.data.held import Held, size_of
from optical_cli.data.locations import listed
from optical_cli.errors import DataError, NotHere

_INFO = "dataset_info.json"
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class HubDataset:
    """A split of a dataset.

    Attributes:
        dataset_id: `owner/name`.
        config: None for the only one there is, or the one called `default`.
        split: its name.
        revision: a commit; None for the one that the cache has, or the newest where it has none.
        columns: those of the teacher's sentences and of their translations.
    """

    dataset_id: str
    config: str | None
    split: str
    revision: str | None
    columns: tuple[str, str]

    def __post_init__(self) -> None:
        if not _HUB_ID.fullmatch(self.dataset_id):
            raise DataError(f"{self.dataset_id} is neither a folder here nor a Hugging Face id (owner/name)")

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the rows."""
        return fingerprint_of_rows(self, digest_of(self._files, memo, *self.columns), memo)

    def rows(self) -> Iterator[Row]:
        """A row a record of the split.

        Raises:
            DataError: it is not in the cache and cannot be had, has no such config or split, or lacks a column.
        """
        mend = "remove it from the cache of the datasets library to have it downloaded again"
        with datasets_library(self.dataset_id, mend) as library:
            parts = [library.Dataset.from_file(str(path)) for path in self._files]
            name = f"{self.dataset_id} ({self.split})"
            yield from rows_of(library.concatenate_datasets(parts), self.columns, name)

    def held(self) -> Held:
        """What the library's cache has of it.

        Raises:
            NotHere: nothing.
        """
        folder = self._prepared()
        if folder is None:
            raise NotHere(f"{self.dataset_id} is not in {_cache()}")
        return Held(folder, size_of(self._files), folder.name, downloaded=True)

    @cached_property
    def _files(self) -> list[Path]:
        """The Arrow files of the split in the library's cache."""
        folder = self._prepared() or self._download()
        part = re.compile(rf".+-{re.escape(self.split)}(-\d{{5}}-of-\d{{5}})?\.arrow")
        files = sorted(path for path in folder.glob("*.arrow") if part.fullmatch(path.name))
        if not files:
            splits = json.loads((folder / _INFO).read_text(encoding="utf-8")).get("splits") or {}
            raise DataError(
                f"{self.dataset_id}: expected a split {self.split}, found {listed(list(splits))}; "
                "name one of them as bitext.*.split"
            )
        return files

    def _prepared(self) -> Path | None:
        """The folder `config/version/commit` of the library's cache that holds the dataset, the newest if several."""
        folders = {
            path.parent: path.parent.stat().st_mtime_ns
            for path in (_cache() / _cache_name(self.dataset_id)).glob(f"*/*/*/{_INFO}")
            if self.revision in (None, path.parent.name)
        }
        configs = sorted({path.parts[-3] for path in folders})
        config = self.config or ("default" if "default" in configs or len(configs) != 1 else configs[0])
        fitting = [path for path in folders if path.parts[-3] == config]
        if not fitting and self.config is None and configs:
            raise DataError(
                f"{self.dataset_id}: expected the name of a config, for there are {listed(configs)}; "
                "set bitext.*.config"
            )
        return max(fitting, key=folders.__getitem__, default=None)

    def _download(self) -> Path:
        if not downloads_allowed():
            part = ", ".join(name for name in (self.config, self.split, self.revision) if name)
            raise NotHere(f"{self.dataset_id} ({part}) is not in {_cache()}, and downloads are off")
        mend = "check id, config, split and network, or name a folder that holds the dataset"
        with datasets_library(self.dataset_id, mend) as library:
            library.load_dataset(
                self.dataset_id, self.config, split=self.split, revision=self.revision, cache_dir=str(_cache())
            )
        folder = self._prepared()
        if folder is None:
            raise DataError(
                f"{self.dataset_id}: expected commit {self.revision} in {_cache()}, and the hub gave another; "
                "leave bitext.*.revision out, or check the network"
            )
        return folder


def _cache() -> Path:
    # as datasets.config.HF_DATASETS_CACHE, without an import of a second
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    home = Path(os.environ.get("HF_HOME", home))
    return Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")).expanduser()


def _cache_name(dataset_id: str) -> str:
    # as datasets.naming.camelcase_to_snakecase and the builder's cache folder have it
    *owner, name = dataset_id.split("/")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
    return "___".join([*owner, name])
