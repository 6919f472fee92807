"""The errors of `optical`.

Every fault a user can meet is one of these; the command line catches the base class once, at its edge.

    OpticalError           the base: something went wrong that the message explains
    ├── ConfigError        a setting or an experiment file is wrong
    ├── DataError          a collection, topics, qrels, a bitext, a run or a model cannot be used
    │   └── NotHere        it is not on this machine, and was not to be downloaded
    ├── CacheError         the cache cannot be read or written, or an artifact in it is damaged
    │   └── NoRoom         its disk takes nothing more
    ├── ClusterError       workers of a cluster, or the cluster itself, were lost
    ├── NotConverged       more transport plans than allowed missed their threshold
    ├── OutOfTime          the time limit has stopped a training, which goes on from there the next time
    └── MissingDependency  an optional package is needed and not installed
"""


class OpticalError(Exception):
    """Something went wrong that the message explains: what, where, what was expected, how to mend it."""


class ConfigError(OpticalError):
    """A setting or an experiment file is wrong."""


class DataError(OpticalError):
    """A collection, topics, judgements, a bitext, a run or a model cannot be used."""


class NotHere(DataError):  # noqa: N818 - it says where the input is not
    """An input is not on this machine, and was not to be downloaded."""


class CacheError(OpticalError):
    """The cache cannot be read or written, or an artifact in it is damaged."""


class NoRoom(CacheError):  # noqa: N818 - what it says of the disk
    """The disk of the cache takes nothing more: it is full, or has become read-only."""


class ClusterError(OpticalError):
    """Workers of a cluster, or the cluster itself, were lost; what was finished stays, and the next try goes on."""


class NotConverged(OpticalError):  # noqa: N818 - the word the design gives it
    """More transport plans than allowed missed their threshold."""


class OutOfTime(OpticalError):  # noqa: N818 - as above
    """The time limit has stopped a training, which goes on from there the next time."""


class MissingDependency(OpticalError):  # noqa: N818 - as above
    """An optional package is needed and not installed."""


QUOTED = 60
"""Characters of a text that a message has room for."""


def shortened(text: str, most: int = QUOTED) -> str:
    """A text, or of a longer one its beginning."""
    return text if len(text) <= most else f"{text[:most]}…"


def quoted(value: object) -> str:
    """A value as a message shows it: on one line, shortened."""
    return repr(shortened(value if isinstance(value, str) else repr(value)))


def one_line(error: BaseException) -> str:
    """What another library's error says, on one line, shortened."""
    return shortened(" ".join(f"{type(error).__name__}: {error}".split()), 4 * QUOTED)
