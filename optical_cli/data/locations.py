"""What a source of an experiment file points to: a path, or a name that another place knows."""

from pathlib import Path

from optical_cli.errors import DataError, shortened

_PATH_STARTS = ("./", "../", "/", "~")


def as_path(source: str, base: Path) -> Path:
    """A source read as a path: `~` is the home folder, relative paths count from `base`."""
    try:
        return base / Path(source).expanduser()
    except RuntimeError as error:  # ~someone who has no home here
        raise DataError(f"{source} is no path here ({error}); write the folder out") from error


def local_path(source: str, base: Path) -> Path | None:
    """The path a source means, or None if it is a name.

    What exists is a path, and what starts with `./`, `../`, `/` or `~` always is one.
    """
    path = as_path(source, base)
    try:
        exists = path.exists()
    except OSError:  # longer than a file name can be
        exists = False
    return path if exists or source.startswith(_PATH_STARTS) else None


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted; DataError if it is none or cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        raise DataError(f"{folder} does not exist; relative paths count from the experiment file") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be read as a folder ({error})") from error


def listed(names: list[str]) -> str:
    """Names for a message: the first ten, each shortened."""
    return (", ".join(map(shortened, names[:10])) + (", …" if len(names) > 10 else "")) or "nothing"
