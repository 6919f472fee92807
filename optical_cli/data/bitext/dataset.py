"""Bitexts of the Hugging Face `datasets` library, from a folder or the hub. It is imported only to read one."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.bitext import Bitext as Settings
from optical_cli.data.absent import LocalCopy, before_download, downloads_off, size_of
from optical_cli.data.bitext.rows import TRANSLATION, Row, digest_of, row_of
from optical_cli.data.paths import files_under, is_hidden, listed, local_path
from optical_cli.data.text_files import Place
from optical_cli.errors import DataError, one_line

_READING = 1  # raised when rows are read in another way, so that remembered fingerprints expire
_INFO = "dataset_info.json"
DEFAULT_SPLIT = Settings.model_fields["split"].default
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class Dataset:
    """A split of a dataset; the base class of datasets in a folder and on the hub."""

    mend: ClassVar[str]  # what to do if the dataset cannot be read

    name: str  # a folder or a hub id
    settings: Settings
    columns: tuple[str, str]  # names of the teacher's column and of the translations

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of the rows. The library's files of the same rows differ between machines."""
        name = f"rows of a dataset, reading {_READING}: {self._state(memo)}"
        return memo.of_stream(name, lambda: (json.dumps([row.teacher, row.foreign]).encode() for row in self.rows()))

    def rows(self) -> Iterator[Row]:
        """Stream a row for each record of the split. Other columns, which may be large, are not decoded."""
        with _library(self.name, self.mend) as library:
            dataset = self._load(library)
            known = set(dataset.column_names or [])
            wanted = list(self.columns) if set(self.columns) <= known else [TRANSLATION]
            if set(wanted) <= known:
                dataset = dataset.select_columns(wanted)
            for number, record in enumerate(dataset, start=1):
                yield row_of(record, self.columns, Place(f"{self.name} ({self.settings.split})", number, "row"))

    def _state(self, memo: Fingerprints) -> str:
        """Return a text that changes whenever the rows may have changed."""
        raise NotImplementedError

    def _load(self, library: Any) -> Any:
        raise NotImplementedError


class DatasetFolder(Dataset):
    """A dataset in a folder: parquet, JSON Lines or CSV files, or the output of `save_to_disk`."""

    mend = "check bitext.*.config, bitext.*.split and the files"

    def local_copy(self) -> LocalCopy:
        """Return the folder and the size of its files."""
        folder = Path(self.name)
        return LocalCopy(folder, size_of(files_under(folder)))

    def _state(self, memo: Fingerprints) -> str:
        folder = Path(self.name)
        names = [path.relative_to(folder) for path in sorted(files_under(folder))]
        names = [name for name in names if not is_hidden(str(name))]
        reading = (*(name.as_posix() for name in names), str(self.settings.config), self.settings.split, *self.columns)
        return digest_of([folder / name for name in names], memo, *reading)

    def _load(self, library: Any) -> Any:
        if Path(self.name, "dataset_dict.json").exists():
            splits = library.load_from_disk(self.name)
            if self.settings.split not in splits:
                raise DataError(_no_split(self.name, self.settings.split, splits))
            return splits[self.settings.split]
        if Path(self.name, "state.json").exists():
            dataset = library.load_from_disk(self.name)
            saved = str(dataset.split) if dataset.split else None  # the split that it was saved from, if any
            if "split" in self.settings.model_fields_set and self.settings.split not in (saved, DEFAULT_SPLIT):
                raise DataError(
                    f"{self.name} is one dataset without splits, and bitext.*.split is {self.settings.split}; remove "
                    "bitext.*.split, or name the folder that has this split"
                )
            return dataset
        # streaming keeps the library from copying the whole dataset into its cache
        return library.load_dataset(self.name, self.settings.config, split=self.settings.split, streaming=True)


class HubDataset(Dataset):
    """A dataset of the Hugging Face hub, read from the cache of the `datasets` library, or downloaded into it."""

    mend = "remove it from the cache of the datasets library, so that it is downloaded again"

    def local_copy(self) -> LocalCopy:
        """Return the folder of the commit in the library's cache; NotHere if there is none."""
        with downloads_off():
            folder = self._files[0].parent
        return LocalCopy(folder, size_of(self._files), folder.name, downloaded=True)

    def _state(self, memo: Fingerprints) -> str:
        return digest_of(self._files, memo, *self.columns)

    def _load(self, library: Any) -> Any:
        return library.concatenate_datasets([library.Dataset.from_file(str(path)) for path in self._files])

    @cached_property
    def _files(self) -> list[Path]:
        folder = self._prepared() or self._download()
        part = re.compile(rf".+-{re.escape(self.settings.split)}(-\d{{5}}-of-\d{{5}})?\.arrow")
        files = sorted(path for path in folder.glob("*.arrow") if part.fullmatch(path.name))
        if not files:
            splits = json.loads((folder / _INFO).read_text(encoding="utf-8")).get("splits") or {}
            raise DataError(_no_split(self.name, self.settings.split, splits))
        return files

    def _prepared(self) -> Path | None:
        """Return the newest folder `config/version/commit` of the dataset in the library's cache; None without one."""
        found = (_cache() / _cache_name(self.name)).glob(f"*/*/*/{_INFO}")
        folders = [path.parent for path in found if self.settings.revision in (None, path.parent.name)]
        configs = sorted({path.parts[-3] for path in folders})
        config = self.settings.config or ("default" if "default" in configs or len(configs) != 1 else configs[0])
        fitting = [path for path in folders if path.parts[-3] == config]
        if not fitting and self.settings.config is None and configs:
            known = listed(configs)
            raise DataError(f"{self.name}: expected the name of a config, one of {known}; set bitext.*.config")
        return max(fitting, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _download(self) -> Path:
        part = ", ".join(name for name in (self.settings.config, self.settings.split, self.settings.revision) if name)
        before_download(f"{self.name} ({part}) is not in {_cache()}")
        mend = "check id, config, split and network, or name a folder with the dataset"
        with _library(self.name, mend) as library:
            settings = {"split": self.settings.split, "revision": self.settings.revision, "cache_dir": str(_cache())}
            library.load_dataset(self.name, self.settings.config, **settings)
        folder = self._prepared()
        if folder is None:
            raise DataError(
                f"{self.name}: expected commit {self.settings.revision} in {_cache()}, but the hub sent another; "
                "remove bitext.*.revision, or check the network"
            )
        return folder


def open_dataset(settings: Settings, name: str, columns: tuple[str, str], base: Path) -> DatasetFolder | HubDataset:
    """Open a dataset, given its folder or its Hugging Face id; DataError if `name` is neither."""
    folder = local_path(name, base)
    if folder is None:
        if not _HUB_ID.fullmatch(name):
            raise DataError(f"{name} is neither a folder on this machine nor a Hugging Face id (owner/name)")
        return HubDataset(name, settings, columns)
    if settings.revision is not None:
        raise DataError(f"{folder} is a folder, which has no revision; remove bitext.*.revision")
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder; name the folder of a dataset or a Hugging Face id, or set `source` for a file"
        )
    return DatasetFolder(str(folder), settings, columns)


def _no_split(name: str, split: str, known: Iterable[str]) -> str:
    return f"{name}: expected the split {split}, found {listed(list(known))}; set bitext.*.split"


def _cache() -> Path:
    # like datasets.config.HF_DATASETS_CACHE, whose import takes a second
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    home = Path(os.environ.get("HF_HOME", home))
    return Path(os.environ.get("HF_DATASETS_CACHE", home / "datasets")).expanduser()


def _cache_name(dataset_id: str) -> str:
    # like datasets.naming.camelcase_to_snakecase and the cache folder of its builder
    *owner, name = dataset_id.split("/")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
    return "___".join([*owner, name])


@contextmanager
def _library(name: str, mend: str) -> Iterator[Any]:
    """Import the library without its terminal output; its errors become a DataError that ends with `mend`."""
    import datasets
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()  # the terminal belongs to the command line
    datasets.logging.set_verbosity_error()
    try:
        yield datasets
    # OSError: a missing file or network; the others: a wrong config, split or file
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, DatasetsError) as error:
        raise DataError(f"{name} cannot be read as a dataset ({one_line(error)}); {mend}") from error
