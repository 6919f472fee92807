"""Where the files that are shipped in the package lie."""

from pathlib import Path

from optical_cli.errors import DataError

PREFIX = "builtin:"
TINY = Path(__file__).parent / "tiny"
_DATA = {"tiny": TINY}
_BITEXT = {"tiny": TINY / "bitext.en-sw.tsv"}
_MODELS = {"tiny-teacher": TINY / "teacher"}


def builtin_data(source: str) -> Path:
    """The folder of a packaged collection with its topics and judgements."""
    return _named(source, _DATA, "collection")


def builtin_bitext(source: str) -> Path:
    """The file of a packaged bitext."""
    return _named(source, _BITEXT, "bitext")


def builtin_model(source: str) -> Path:
    """The folder of a packaged model."""
    return _named(source, _MODELS, "model")


def _named(source: str, known: dict[str, Path], kind: str) -> Path:
    path = known.get(source.removeprefix(PREFIX))
    if path is None:
        names = ", ".join(PREFIX + name for name in known)
        raise DataError(f"{source}: no such {kind} in the package; there is {names}")
    if not path.exists():
        raise DataError(f"{source}: {path} is missing; install optical-cli again")
    return path


def builtin_experiment(name: str) -> Path | None:
    """The experiment file of a packaged pair; None if the name is none of theirs."""
    return TINY / "experiment.yaml" if name == "tiny" else None
