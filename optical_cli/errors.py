"""The errors of `optical`, and how messages show values, counts and sizes.

Every error that a user can cause or repair is an `OpticalError`, which the command line catches in one place.

    OpticalError           base class; its message explains what is wrong and what to do
    ├── ConfigError        a setting, an option or an experiment file is wrong
    ├── DataError          a collection, topics, qrels, a bitext, a run or a model cannot be used
    │   └── NotHere        an input is not on this machine, and downloads are off
    ├── CacheError         the cache cannot be read or written, or an artifact in it is damaged
    │   └── NoRoom         the disk of the cache is full or read-only
    ├── ClusterError       a Ray cluster, or some of its workers, were lost
    ├── NotConverged       more transport plans than allowed missed the convergence threshold
    ├── OutOfTime          the time limit stopped a training; the next run resumes it
    └── MissingDependency  an optional package is needed and not installed
"""


class OpticalError(Exception):
    """An error whose message explains what is wrong, where, what was expected, and what to do."""


class ConfigError(OpticalError):
    """A setting, an option or an experiment file is wrong."""


class DataError(OpticalError):
    """A collection, topics, judgements, a bitext, a run or a model cannot be used."""


class NotHere(DataError):  # noqa: N818 - the name says what is wrong
    """An input is not on this machine, and downloads are off."""


class CacheError(OpticalError):
    """The cache cannot be read or written, or an artifact in it is damaged."""


class NoRoom(CacheError):  # noqa: N818 - the name says what is wrong
    """The disk of the cache is full or read-only."""


class ClusterError(OpticalError):
    """A Ray cluster, or some of its workers, were lost; finished artifacts stay, and the next run makes the rest."""


class NotConverged(OpticalError):  # noqa: N818 - the name says what is wrong
    """More transport plans than allowed missed the convergence threshold."""


class OutOfTime(OpticalError):  # noqa: N818 - the name says what is wrong
    """The time limit stopped a training; the next run resumes it."""


class MissingDependency(OpticalError):  # noqa: N818 - the name says what is wrong
    """An optional package is needed and not installed."""


QUOTED = 60
"""Most characters of a value that a message shows."""
BYTE_UNITS = ("B", "kB", "MB", "GB", "TB")


def shortened(text: str, most: int = QUOTED) -> str:
    """Cut a text to `most` characters, and mark the cut by an ellipsis."""
    return text if len(text) <= most else f"{text[:most]}…"


def quoted(value: object) -> str:
    """Quote a value for a message: on one line, shortened."""
    return repr(shortened(value if isinstance(value, str) else repr(value)))


def one_line(error: BaseException) -> str:
    """Quote the error of another library for a message: its type and text on one line, shortened."""
    return shortened(" ".join(f"{type(error).__name__}: {error}".split()), 4 * QUOTED)


def several(count: int, one: str) -> str:
    """Count things in words: `1 topic`, `3 topics`."""
    return f"{count} {one}" if count == 1 else f"{count} {one}s"


def byte_size(count: int) -> str:
    """Write a number of bytes in its decimal unit: `812 B`, `4.1 MB`, `4.6 GB`."""
    thousands = min((len(str(count)) - 1) // 3, len(BYTE_UNITS) - 1)
    return f"{count / 1000**thousands:.1f} {BYTE_UNITS[thousands]}" if thousands else f"{count} B"
