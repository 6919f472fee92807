"""A split of a dataset of the Hugging Face `datasets` library, from a folder or the hub.

The library is imported only to read one.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, before_download, downloads_off, size_of
from optical_cli.data.paths import files_under, is_hidden, listed, local_path
from optical_cli.data.text_files import Place, digest_of
from optical_cli.errors import DataError, one_line

_INFO = "dataset_info.json"
_SAVED = ("dataset_dict.json", "state.json")
"""Files of `save_to_disk`: of a dataset with splits, and of one without."""
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class DatasetSplit:
    """A split of a dataset; the base class of datasets in a folder and on the hub.

    Attributes:
        name: A folder or a hub id.
        config: Its configuration; None for the only one.
        split: The split.
        revision: Commit on the hub; None for the newest on this machine, or else on the hub.
        setting: Section of the experiment file that names the dataset, for messages, such as `bitext.*`.
        named: Whether the split is named there.
    """

    mend: ClassVar[str]  # what to do if the dataset cannot be read

    name: str
    config: str | None
    split: str
    revision: str | None
    setting: str
    named: bool = True

    def records(self, columns: Callable[[Sequence[str]], Sequence[str]]) -> Iterator[tuple[Place, Any]]:
        """Stream the records of the split.

        Args:
            columns: returns the wanted columns, given those that there are. Others, which may be large, are not read.
        """
        with library(self.name, self.mend.format(setting=self.setting)) as datasets:
            dataset = self._load(datasets)
            known = dataset.column_names or []
            if (wanted := list(columns(known))) and set(wanted) <= set(known):
                dataset = dataset.select_columns(wanted)
            for number, record in enumerate(dataset, start=1):
                yield Place(f"{self.name} ({self.split})", number, "row"), record

    def state(self, memo: Fingerprints, *reading: str) -> str:
        """Return a text that changes whenever the records may have changed; `reading` says how they are read."""
        raise NotImplementedError

    def local_copy(self) -> LocalCopy:
        """Return where the dataset is on this machine, and its size; NotHere if it is not."""
        raise NotImplementedError

    def configs(self, wanted: Sequence[str]) -> list[str]:
        """Return the names of the dataset's configurations, or of those on this machine if one of them is `wanted`.

        Raises:
            NotHere: the names would have to be downloaded.
        """
        raise NotImplementedError

    def newest_commit(self, configs: Sequence[str]) -> str | None:  # noqa: ARG002
        """Return the newest commit on this machine that has one of some configurations; None of a folder."""
        return None

    def splits(self) -> list[str]:
        """Return the names of the splits of the configuration, which is downloaded if it is missing."""
        raise NotImplementedError

    def _load(self, datasets: Any) -> Any:
        raise NotImplementedError


class FolderSplit(DatasetSplit):
    """A split of a dataset in a folder: parquet, JSON Lines or CSV files, or the output of `save_to_disk`."""

    mend = "check {setting}.config, {setting}.split and the files"

    def local_copy(self) -> LocalCopy:
        """Return the folder and the size of its files."""
        folder = Path(self.name)
        return LocalCopy(folder, size_of(files_under(folder)))

    def state(self, memo: Fingerprints, *reading: str) -> str:
        """Return a digest of the files."""
        folder = Path(self.name)
        names = [path.relative_to(folder) for path in sorted(files_under(folder))]
        names = [name for name in names if not is_hidden(str(name))]
        how = (*(name.as_posix() for name in names), str(self.config), self.split, *reading)
        return digest_of([folder / name for name in names], memo, *how)

    def configs(self, wanted: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Return the folders that `save_to_disk` made, or else the configurations that the library finds."""
        folders = sorted(Path(self.name).iterdir())
        if saved := [path.name for path in folders if any((path / file).exists() for file in _SAVED)]:
            return saved
        with library(self.name, self.mend.format(setting=self.setting)) as datasets:
            return list(datasets.get_dataset_config_names(self.name))

    def splits(self) -> list[str]:
        """Return the names of the splits; of a dataset without any, the one that it was saved from."""
        with library(self.name, self.mend.format(setting=self.setting)) as datasets:
            folder = self._saved
            if (folder / "dataset_dict.json").exists():
                return list(json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"])
            if (folder / "state.json").exists():
                return [str(datasets.load_from_disk(str(folder)).split or self.split)]
            return list(datasets.get_dataset_split_names(self.name, self.config))

    @property
    def _saved(self) -> Path:
        """The folder that `save_to_disk` may have made: of the configuration, or the dataset's own."""
        inner = Path(self.name, self.config or "")
        return inner if any((inner / one).exists() for one in _SAVED) else Path(self.name)

    def _load(self, datasets: Any) -> Any:
        folder = self._saved
        if (folder / "dataset_dict.json").exists():
            splits = datasets.load_from_disk(str(folder))
            if self.split not in splits:
                raise DataError(_no_split(self, splits))
            return splits[self.split]
        if (folder / "state.json").exists():
            dataset = datasets.load_from_disk(str(folder))
            saved = str(dataset.split) if dataset.split else None  # the split that it was saved from, if any
            if self.named and self.split != saved:
                raise DataError(
                    f"{folder} is one dataset without splits, and {self.setting}.split is {self.split}; remove "
                    f"{self.setting}.split, or name the folder that has this split"
                )
            return dataset
        # streaming keeps the library from copying the whole dataset into its cache
        return datasets.load_dataset(self.name, self.config, split=self.split, streaming=True)


class HubSplit(DatasetSplit):
    """A split of a dataset of the hub, read from the cache of the `datasets` library, or downloaded into it."""

    mend = "remove it from the cache of the datasets library, so that it is downloaded again"

    def local_copy(self) -> LocalCopy:
        """Return the folder of the commit in the library's cache; NotHere if there is none."""
        with downloads_off():
            folder = self._files[0].parent
        return LocalCopy(folder, size_of(self._files), folder.name, downloaded=True)

    def state(self, memo: Fingerprints, *reading: str) -> str:
        """Return a digest of the files in the library's cache."""
        return digest_of(self._files, memo, *reading)

    def configs(self, wanted: Sequence[str]) -> list[str]:
        """Return the configurations in the library's cache, if one of them is wanted, or else those on the hub."""
        found = {path.parts[-3] for path in self._folders()}
        if found & set(wanted):
            return sorted(found)
        before_download(f"{self.name} ({' or '.join(wanted)}) is not in {_cache()}")
        with library(self.name, CHECK) as datasets:
            return list(datasets.get_dataset_config_names(self.name, revision=self.revision))

    def newest_commit(self, configs: Sequence[str]) -> str | None:
        """Return the newest commit in the library's cache that has one of some configurations; None without any."""
        folders = [path for path in self._folders() if path.parts[-3] in configs]
        newest = max(folders, key=lambda path: path.stat().st_mtime_ns, default=None)
        return newest.name if newest else None

    def splits(self) -> list[str]:
        """Return the splits of the configuration, which is downloaded if it is missing."""
        folder = self._prepared() or self._download()
        return list(json.loads((folder / _INFO).read_text(encoding="utf-8")).get("splits") or {})

    def _load(self, datasets: Any) -> Any:
        return datasets.concatenate_datasets([datasets.Dataset.from_file(str(path)) for path in self._files])

    @cached_property
    def _files(self) -> list[Path]:
        folder = self._prepared() or self._download()
        part = re.compile(rf".+-{re.escape(self.split)}(-\d{{5}}-of-\d{{5}})?\.arrow")
        files = sorted(path for path in folder.glob("*.arrow") if part.fullmatch(path.name))
        if not files:
            splits = json.loads((folder / _INFO).read_text(encoding="utf-8")).get("splits") or {}
            raise DataError(_no_split(self, splits))
        return files

    def _folders(self) -> list[Path]:
        """The folders `config/version/commit` of the dataset in the library's cache."""
        found = (_cache() / _cache_name(self.name)).glob(f"*/*/*/{_INFO}")
        return [path.parent for path in found if self.revision in (None, path.parent.name)]

    def _prepared(self) -> Path | None:
        """Return the newest folder of the configuration in the library's cache; None without one."""
        folders = self._folders()
        configs = sorted({path.parts[-3] for path in folders})
        config = self.config or ("default" if "default" in configs or len(configs) != 1 else configs[0])
        fitting = [path for path in folders if path.parts[-3] == config]
        if not fitting and self.config is None and configs:
            known = listed(configs)
            raise DataError(f"{self.name}: expected the name of a config, one of {known}; set {self.setting}.config")
        return max(fitting, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _download(self) -> Path:
        part = ", ".join(name for name in (self.config, self.split, self.revision) if name)
        before_download(f"{self.name} ({part}) is not in {_cache()}")
        with library(self.name, CHECK) as datasets:
            settings = {"split": self.split or None, "revision": self.revision, "cache_dir": str(_cache())}
            datasets.load_dataset(self.name, self.config, **settings)
        folder = self._prepared()
        if folder is None:
            raise DataError(
                f"{self.name}: expected commit {self.revision} in {_cache()}, but the hub sent another; "
                f"remove {self.setting}.revision, or check the network"
            )
        return folder


CHECK = "check id, config, split and network, log in to the hub if it is gated, or name a folder with the dataset"
"""What to do if a dataset cannot be downloaded."""


def split_of(
    name: str, config: str | None, split: str, revision: str | None, setting: str, base: Path, *, named: bool = True
) -> FolderSplit | HubSplit:
    """Open a split of a dataset, given its folder or its Hugging Face id; DataError if `name` is neither."""
    folder = local_path(name, base)
    if folder is None:
        if not _HUB_ID.fullmatch(name):
            raise DataError(f"{name} is neither a folder on this machine nor a Hugging Face id (owner/name)")
        return HubSplit(name, config, split, revision, setting, named)
    if revision is not None:
        raise DataError(f"{folder} is a folder, which has no revision; remove {setting}.revision")
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not a folder; name the folder of a dataset or a Hugging Face id, or set `source` for a file"
        )
    return FolderSplit(str(folder), config, split, revision, setting, named)


def _no_split(split: DatasetSplit, known: Iterable[str]) -> str:
    return f"{split.name}: expected the split {split.split}, found {listed(list(known))}; set {split.setting}.split"


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
def library(name: str, mend: str) -> Iterator[Any]:
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
