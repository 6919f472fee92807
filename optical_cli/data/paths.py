"""Locates the sources that an experiment file names: in the package (`builtin:tiny`), or at a path."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from optical_cli.data.text_files import PACKED
from optical_cli.errors import DataError, shortened

Part = Literal["docs", "queries", "qrels"]
"""Documents, topics or judgements of a collection, as ir_datasets and file names call them."""
_ENDINGS: dict[Part, tuple[str, ...]] = {"docs": ("jsonl",), "queries": ("tsv",), "qrels": ("trec", "tsv")}
_OF_BEIR: dict[Part, tuple[str, ...]] = {
    "docs": ("corpus.jsonl", "corpus.parquet"),
    "queries": ("queries.jsonl", "queries.parquet"),
}
"""Names in a folder of BEIR, which has judgements for each split: `qrels/test.tsv`."""

PREFIX = "builtin:"
TINY = Path(__file__).parent / "tiny"
BUILTIN = {
    "collection": {"tiny": TINY},
    "bitext": {"tiny": TINY / "bitext.en-sw.tsv"},
    "model": {"tiny-teacher": TINY / "teacher"},
    "experiment": {"tiny": TINY / "experiment.yaml"},
}
"""Inputs that the package contains, by kind and name."""
_PATH_STARTS = ("./", "../", "/", "~")


def builtin_path(kind: Literal["collection", "bitext", "model"], source: str) -> Path:
    """Return the path of an input in the package: the folder of a collection or model, or the file of a bitext."""
    path = BUILTIN[kind].get(source.removeprefix(PREFIX))
    if path is None:
        names = ", ".join(PREFIX + name for name in BUILTIN[kind])
        raise DataError(f"{source}: the package has no such {kind}; expected {names}")
    if not path.exists():
        raise DataError(f"{source}: {path} is missing; reinstall optical-cli")
    return path


def builtin_experiment(name: str) -> Path | None:
    """Return the file of an experiment in the package; None if the package has no experiment of this name."""
    return BUILTIN["experiment"].get(name)


def as_path(source: str, base: Path) -> Path:
    """Return a source as a path: `~` is the home folder, and relative paths start from `base`."""
    if "\0" in source:
        raise DataError(f"{source!r} is not a path: it has a null character; remove it")
    try:
        return base / Path(source).expanduser()
    except RuntimeError as error:  # the `~name` of an unknown user
        raise DataError(f"{source} is not a path on this machine ({error}); write the folder in full") from error


def local_path(source: str, base: Path) -> Path | None:
    """Return the path of a source; None if it does not exist and does not start with `./`, `../`, `/` or `~`."""
    path = as_path(source, base)
    return path if exists(path) or source.startswith(_PATH_STARTS) else None


def exists(path: Path) -> bool:
    """Return whether a path exists; False also for a path that is too long for the file system.

    Raises:
        DataError: the path is a link that leads back to itself.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DataError(f"{path} is a link that leads back to itself; correct the link") from error
        return False
    except ValueError:  # half a surrogate pair
        return False
    return True


def real_path(path: Path) -> Path:
    """Return the absolute path without links. Of a link that leads back to itself, opening it is what fails.

    `Path.resolve` of Python 3.11 and 3.12 raises RuntimeError for such a link.
    """
    return Path(os.path.realpath(path))


def part_in(folder: Path, part: Part, language: str, split: str = "") -> Path:
    """Return the file of a part in a folder: `docs.yo.jsonl`, else `docs.jsonl`, else that of BEIR; may be compressed.

    Args:
        folder: the folder.
        part: the part.
        language: language of the documents or topics.
        split: name of the judgements in a folder of BEIR; "" for its only ones.

    Raises:
        DataError: the folder has no such file, or the same file both plain and compressed.
    """
    files = names_in(folder)
    if part == "qrels" and split:
        return _split_in(folder / "qrels", split)
    named, plain = ([f"{stem}.{end}" for end in _ENDINGS[part]] for stem in (f"{part}.{language}", part))
    for names in (named, plain, _OF_BEIR.get(part, ())):
        present = [name + packed for name in names for packed in ("", *PACKED) if name + packed in files]
        if present:
            return _only(folder, present)
    if part == "qrels" and "qrels" in files:
        return _split_in(folder / "qrels", "")
    wanted = f"{' or '.join([*named, *plain, *_OF_BEIR.get(part, ['qrels/SPLIT.tsv'])])} (or {' or '.join(PACKED)})"
    raise DataError(f"{folder} has no {wanted}; found {listed(files)}")


def _split_in(folder: Path, split: str) -> Path:
    """Return the file of a split in the folder `qrels` of BEIR; DataError without it, or if several could be meant."""
    endings = [".tsv", *(f".tsv{packed}" for packed in PACKED), ".parquet"]
    names = names_in(folder) if exists(folder) else []
    found: dict[str, list[str]] = {}
    for name in names:
        for end in endings:
            if name.endswith(end):
                found.setdefault(name.removesuffix(end), []).append(name)
    taken = found.get(split) if split else next(iter(found.values())) if len(found) == 1 else None
    if taken is None:
        expected = f"{split}.tsv" if split else "one file SPLIT.tsv"
        mend = f"name one of them behind the folder: {folder.parent.name}#{next(iter(found))}" if found else "add it"
        raise DataError(f"{folder}: expected {expected}, found {listed(names)}; {mend}")
    return _only(folder, taken)


def _only(folder: Path, names: list[str]) -> Path:
    """Return the only one of some files; DataError if there are several, or it is a link to nothing."""
    if len(names) > 1:
        raise DataError(f"{folder} has {' and '.join(names)}; keep one of them")
    if not exists(folder / names[0]):
        raise DataError(f"{folder / names[0]} is a link to a file that does not exist; correct the link")
    return folder / names[0]


def names_in(folder: Path) -> list[str]:
    """Return the sorted names in a folder; DataError if it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        raise DataError(
            f"{folder} does not exist; relative paths start from the folder of the experiment file"
        ) from None
    except OSError as error:
        raise DataError(f"{folder} cannot be read as a folder ({error})") from error


def files_under(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted, also below links to folders; DataError if a link leads in a circle."""
    way_to: dict[str, tuple[Path, ...]] = {str(folder): (real_path(folder),)}  # the folders around each, without links
    for here, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in folders:
            path = Path(here, name)
            if path.is_symlink() and any(above.is_relative_to(real_path(path)) for above in way_to[here]):
                raise DataError(f"{path} is a link to a folder that contains it; remove the link")
            way_to[str(path)] = (*way_to[here], real_path(path))
        yield from (path for path in (Path(here, name) for name in sorted(names)) if exists(path) and path.is_file())


def is_hidden(name: str) -> bool:
    """Whether a path inside a folder or an archive is hidden, or a resource fork that macOS adds."""
    return any(part.startswith(".") or part == "__MACOSX" for part in Path(name).parts)


def listed(names: list[str]) -> str:
    """Return names as a message lists them: the first ten, each shortened."""
    return (", ".join(map(shortened, names[:10])) + (", …" if len(names) > 10 else "")) or "nothing"
