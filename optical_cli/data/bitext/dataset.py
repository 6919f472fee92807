"""Datasets of the Hugging Face datasets library, in a folder or from the hub; it is imported only to read one."""

import json
import os
import re
from collections.abc import Iterator
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

_READING = 1  # raise it when rows are made of a dataset in another way: remembered fingerprints end
_INFO = "dataset_info.json"
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class Dataset:
    """A split of a dataset: the base class of its two places."""

    mend: ClassVar[str]

    name: str  # a folder or an id
    settings: Settings
    columns: tuple[str, str]  # of the teacher's sentences and of their translations

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the rows, not of their files: the library makes other files of the same rows elsewhere."""
        name = f"rows of a dataset, reading {_READING}: {self._state(memo)}"
        return memo.of_stream(name, lambda: (json.dumps([row.teacher, row.foreign]).encode() for row in self.rows()))

    def rows(self) -> Iterator[Row]:
        """A row a record of the split; other columns, which may be large, are not decoded."""
        with _library(self.name, self.mend) as library:
            dataset = self._load(library)
            held = set(dataset.column_names or [])
            wanted = list(self.columns) if set(self.columns) <= held else [TRANSLATION]
            if set(wanted) <= held:
                dataset = dataset.select_columns(wanted)
            for number, record in enumerate(dataset, start=1):
                yield row_of(record, self.columns, Place(f"{self.name} ({self.settings.split})", number, "row"))

    def _state(self, memo: Fingerprints) -> str:
        """What changes whenever the rows may have changed."""
        raise NotImplementedError

    def _load(self, library: Any) -> Any:
        raise NotImplementedError


class DatasetFolder(Dataset):
    """A folder of parquet, JSONL or CSV files, or what `save_to_disk` left."""

    mend = "check bitext.*.config and .split, and the files"

    def local_copy(self) -> LocalCopy:
        """The folder."""
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
            return library.load_from_disk(self.name)[self.settings.split]
        if Path(self.name, "state.json").exists():
            return library.load_from_disk(self.name)
        # streamed: the library would copy the whole of it into its cache otherwise
        return library.load_dataset(self.name, self.settings.config, split=self.settings.split, streaming=True)


class HubDataset(Dataset):
    """A dataset of the hub: from the library's cache if it is there, else downloaded into it."""

    mend = "remove it from the cache of the datasets library to have it downloaded again"

    def local_copy(self) -> LocalCopy:
        """The folder of a commit in the library's cache."""
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
            found = f"expected a split {self.settings.split}, found {listed(list(splits))}"
            raise DataError(f"{self.name}: {found}; name one as bitext.*.split")
        return files

    def _prepared(self) -> Path | None:
        """The folder `config/version/commit` of the library's cache that holds the dataset, the newest if several."""
        found = (_cache() / _cache_name(self.name)).glob(f"*/*/*/{_INFO}")
        folders = [path.parent for path in found if self.settings.revision in (None, path.parent.name)]
        configs = sorted({path.parts[-3] for path in folders})
        config = self.settings.config or ("default" if "default" in configs or len(configs) != 1 else configs[0])
        fitting = [path for path in folders if path.parts[-3] == config]
        if not fitting and self.settings.config is None and configs:
            known = listed(configs)
            raise DataError(f"{self.name}: expected the name of a config, for there are {known}; set bitext.*.config")
        return max(fitting, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _download(self) -> Path:
        part = ", ".join(name for name in (self.settings.config, self.settings.split, self.settings.revision) if name)
        before_download(f"{self.name} ({part}) is not in {_cache()}")
        mend = "check id, config, split and network, or name a folder that holds the dataset"
        with _library(self.name, mend) as library:
            settings = {"split": self.settings.split, "revision": self.settings.revision, "cache_dir": str(_cache())}
            library.load_dataset(self.name, self.settings.config, **settings)
        folder = self._prepared()
        if folder is None:
            raise DataError(
                f"{self.name}: expected commit {self.settings.revision} in {_cache()}, and the hub gave another; "
                "leave bitext.*.revision out, or check the network"
            )
        return folder


def open_dataset(settings: Settings, name: str, columns: tuple[str, str], base: Path) -> DatasetFolder | HubDataset:
    """Find a dataset by its folder or its Hugging Face id; DataError if it is neither."""
    folder = local_path(name, base)
    if folder is None:
        if not _HUB_ID.fullmatch(name):
            raise DataError(f"{name} is neither a folder here nor a Hugging Face id (owner/name)")
        return HubDataset(name, settings, columns)
    if settings.revision is not None:
        raise DataError(f"{folder} is a folder, which has no revision; leave bitext.*.revision out")
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name that of a dataset or a Hugging Face id, or a file as `source`")
    return DatasetFolder(str(folder), settings, columns)


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


@contextmanager
def _library(name: str, mend: str) -> Iterator[Any]:
    """The library, quiet; what goes wrong inside it is raised as a DataError that says how to mend it."""
    import datasets
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()  # the terminal belongs to the command line
    datasets.logging.set_verbosity_error()
    try:
        yield datasets
    # a missing file or network is an OSError, a config, split or file that does not fit one of the others
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, DatasetsError) as error:
        raise DataError(f"{name} cannot be read as a dataset ({one_line(error)}); {mend}") from error
