"""A bitext of an experiment: where its rows come from, and which of them are used."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.bitext import Bitext as Settings
from optical_cli.config.bitext import Filter
from optical_cli.data.bitext.aligned import Aligned
from optical_cli.data.bitext.dataset_folder import DatasetFolder
from optical_cli.data.bitext.hub_dataset import HubDataset
from optical_cli.data.bitext.json_lines import JsonLines
from optical_cli.data.bitext.moses_zip import MosesZip
from optical_cli.data.bitext.rows import RowSource
from optical_cli.data.bitext.select import Selection, SentencePair, select_pairs
from optical_cli.data.bitext.tmx import Tmx
from optical_cli.data.bitext.tsv import Tsv
from optical_cli.data.builtin import PREFIX, builtin_bitext
from optical_cli.data.held import Held, size_of
from optical_cli.data.locations import as_path, local_path
from optical_cli.errors import DataError


@dataclass(frozen=True)
class Bitext:
    """The sentence pairs of a source, as far as its filter lets them pass."""

    name: str
    source: RowSource
    filter: Filter
    files: tuple[Path, ...] = ()

    def fingerprint(self, memo: Fingerprints) -> str:
        """64 hex digits that differ where the rows of the source differ; the filter has no part in them."""
        return self.source.fingerprint(memo)

    def held(self, _memo: Fingerprints | None = None, /) -> Held:
        """What this machine has of it, looked up without a network.

        Raises:
            NotHere: it would have to be downloaded.
        """
        if isinstance(self.source, HubDataset):
            return self.source.held()
        inside = (path for top in self.files for path in (top.rglob("*") if top.is_dir() else [top]))
        return Held(self.files[0], size_of(path for path in inside if path.is_file()))

    @cached_property
    def selection(self) -> Selection:
        """The pairs that are used, and how many rows are not.

        Raises:
            DataError: the source cannot be read, or no row of it is used.
        """
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
    """Find a bitext; nothing of it is read yet.

    Args:
        settings: name its source and filter.
        languages: the teacher's and the foreign one, which name the columns of a source that has names for them.
        base: the folder that relative paths count from.

    Raises:
        DataError: a file does not exist.
    """
    columns = (settings.columns[0], settings.columns[1]) if settings.columns else languages
    if settings.dataset is not None:
        source = _dataset(settings, settings.dataset, columns, base)
        return Bitext(settings.dataset, source, settings.filter, (as_path(settings.dataset, base),))
    named = settings.source or ()
    files = [_file(name, base) for name in named]
    return Bitext(" + ".join(named), _of_files(settings, files, columns), settings.filter, tuple(files))


def _of_files(settings: Settings, files: list[Path], columns: tuple[str, str]) -> RowSource:
    match settings.format:
        case "aligned":
            return Aligned(*files)
        case "jsonl":
            return JsonLines(files[0], columns)
        case "tmx":
            return Tmx(files[0], columns)
        case "zip":
            return MosesZip(files[0], columns)
        case _:
            return Tsv(files[0])


def _dataset(settings: Settings, name: str, columns: tuple[str, str], base: Path) -> RowSource:
    folder = local_path(name, base)
    if folder is None:
        return HubDataset(name, settings.config, settings.split, settings.revision, columns)
    if settings.revision is not None:
        raise DataError(f"{folder} is a folder, which has no revision; leave bitext.*.revision out")
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name that of a dataset or a Hugging Face id, or a file as `source`")
    return DatasetFolder(folder, settings.config, settings.split, columns)


def _file(source: str, base: Path) -> Path:
    if source.startswith(PREFIX):
        return builtin_bitext(source)
    path = as_path(source, base)
    if path.is_dir():
        raise DataError(
            f"{path} is a folder; name a file, two files with a sentence on each line, "
            "or a folder of a dataset as bitext.*.dataset"
        )
    if not path.exists():
        raise DataError(f"{path} does not exist; relative paths count from the folder of the experiment file")
    return path
