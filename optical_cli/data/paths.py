"""Where a source of an experiment file lies: in the package (`builtin:tiny`), at a path, or at neither, by its name."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from optical_cli.data.text_files import PACKED
from optical_cli.errors import DataError, shortened

Part = Literal["docs", "queries", "qrels"]
"""Parts of a collection, as files and ir_datasets name them: its documents, topics and judgements."""
_ENDINGS: dict[Part, tuple[str, ...]] = {"docs": ("jsonl",), "queries": ("tsv",), "qrels": ("trec", "tsv")}

PREFIX = "builtin:"
TINY = Path(__file__).parent / "tiny"
BUILTIN = {
    "collection": {"tiny": TINY},
    "bitext": {"tiny": TINY / "bitext.en-sw.tsv"},
    "model": {"tiny-teacher": TINY / "teacher"},
    "experiment": {"tiny": TINY / "experiment.yaml"},
}
"""What is shipped in the package, by kind and name."""
_PATH_STARTS = ("./", "../", "/", "~")


def builtin_path(kind: Literal["collection", "bitext", "model"], source: str) -> Path:
    """The folder of a packaged collection or model, or the file of a packaged bitext."""
    path = BUILTIN[kind].get(source.removeprefix(PREFIX))
    if path is None:
        names = ", ".join(PREFIX + name for name in BUILTIN[kind])
        raise DataError(f"{source}: no such {kind} in the package; there is {names}")
    if not path.exists():
        raise DataError(f"{source}: {path} is missing; install optical-cli again")
    return path


def builtin_experiment(name: str) -> Path | None:
    """The file of a packaged experiment; None if there is none of this name."""
    return BUILTIN["experiment"].get(name)


def as_path(source: str, base: Path) -> Path:
    """Read a source as a path: `~` is the home folder, relative paths start at `base`."""
    if "\0" in source:
        raise DataError(f"{source!r} is no path: it holds a null character; remove it")
    try:
        return base / Path(source).expanduser()
    except RuntimeError as error:  # ~someone who has no home here
        raise DataError(f"{source} is no path here ({error}); write the folder out") from error


def local_path(source: str, base: Path) -> Path | None:
    """The path of a source; None if it does not exist and does not start with `./`, `../`, `/` or `~`."""
    path = as_path(source, base)
    return path if exists(path) or source.startswith(_PATH_STARTS) else None


def exists(path: Path) -> bool:
    """Whether a path leads somewhere; False also where it is longer than a file name can be."""
    try:
        return path.exists()
    except OSError:
        return False


def part_in(folder: Path, part: Part, language: str) -> Path:
    """The file of a part: `docs.yo.jsonl` before `docs.jsonl`, also packed; DataError if there is none, or two."""
    held = names_in(folder)
    named, plain = ([f"{stem}.{end}" for end in _ENDINGS[part]] for stem in (f"{part}.{language}", part))
    for names in (named, plain):
        present = [name + packed for name in names for packed in ("", *PACKED) if name + packed in held]
        if len(present) > 1:
            raise DataError(f"{folder} holds both {' and '.join(present)}; keep one of them")
        if present:
            return folder / present[0]
    wanted = f"{' or '.join(named + plain)} (or {' or '.join(PACKED)})"
    raise DataError(f"{folder} holds no {wanted}; it holds {listed(held)}")


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; DataError if it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        raise DataError(f"{folder} does not exist; relative paths count from the experiment file") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be read as a folder ({error})") from error


def files_under(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted, also below links to folders; DataError if a link leads in a circle."""
    for here, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        for name in folders:
            path = Path(here, name)
            if path.is_symlink() and Path(here).resolve().is_relative_to(path.resolve()):
                raise DataError(f"{path} is a link to a folder that contains it; remove the link")
        yield from (path for path in (Path(here, name) for name in sorted(names)) if path.is_file())


def is_hidden(name: str) -> bool:
    """Whether a path inside a folder or an archive is hidden, or a resource fork that macOS adds."""
    return any(part.startswith(".") or part == "__MACOSX" for part in Path(name).parts)


def listed(names: list[str]) -> str:
    """Names for a message: the first ten, each shortened."""
    return (", ".join(map(shortened, names[:10])) + (", …" if len(names) > 10 else "")) or "nothing"
