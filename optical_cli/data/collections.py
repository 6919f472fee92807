"""Where documents, topics and judgements come from: a packaged, a local or an ir_datasets source.

A source is written as `builtin:tiny`, as a path (`./data/yo`; a folder, or one file of topics or judgements),
or as an id of ir_datasets (`miracl/yo/dev`; `ir_datasets:miracl/yo/dev` where a path of that name exists).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.builtin import PREFIX, builtin_data
from optical_cli.data.documents import Document
from optical_cli.data.held import Held
from optical_cli.data.ir_dataset import IrDocuments, IrJudgements, IrTopics
from optical_cli.data.local_folder import LocalDocuments, LocalJudgements, LocalTopics, find_file
from optical_cli.data.locations import local_path
from optical_cli.errors import DataError

__all__ = [
    "Document",
    "DocumentSource",
    "JudgementSource",
    "Source",
    "TopicSource",
    "open_documents",
    "open_judgements",
    "open_topics",
]

_IR_DATASETS = "ir_datasets:"


class Source(Protocol):
    """Something with a readable name and a fingerprint of its content."""

    @property
    def name(self) -> str:
        """For labels and messages; never part of a key."""

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the content, 64 hex digits."""

    def held(self, memo: Fingerprints | None = None, /) -> Held:
        """What this machine has of it, looked up without a network; with a `memo` also that it can be read whole.

        Raises:
            NotHere: it, or a part of it, would have to be downloaded.
        """


class DocumentSource(Source, Protocol):
    """A collection."""

    def documents(self) -> Iterator[Document]:
        """Stream the documents, checked; DataError at the first that is unsound."""

    def count(self) -> int | None:
        """How many there are, for estimates of time; None if that is not known without reading them."""


class TopicSource(Source, Protocol):
    """A set of topics."""

    def topics(self) -> dict[str, str]:
        """Topic texts by query id, at least one."""


class JudgementSource(Source, Protocol):
    """A set of relevance judgements."""

    def judgements(self) -> dict[str, dict[str, int]]:
        """Grades by query id and document id, at least one."""


def open_documents(source: str, language: str, base: Path) -> DocumentSource:
    """Find a collection; `language` is that of the documents, `base` the folder relative paths count from."""
    folder = _path(source, base)
    if folder is None:
        return IrDocuments(source.removeprefix(_IR_DATASETS), language)
    return LocalDocuments(source, find_file(folder, "docs", language, ["jsonl"]))


def open_topics(source: str, language: str, base: Path, template: str | None = None) -> TopicSource:
    """Find topics.

    Args:
        source: as above.
        language: of the queries.
        base: the folder relative paths count from.
        template: which fields of a topic are asked, `{title} {description}`; None for the usual one.

    Raises:
        DataError: there are no such topics, or they are in a file, which has no fields.
    """
    path = _path(source, base)
    if path is None:
        return IrTopics(source.removeprefix(_IR_DATASETS), language, template)
    if template is not None:
        raise DataError(f"{path}: topics of a file are one text each, without fields; leave pairs.*.topic_text out")
    return LocalTopics(source, path if path.is_file() else find_file(path, "queries", language, ["tsv"]))


def open_judgements(source: str, language: str, base: Path) -> JudgementSource:
    """Find judgements; `language` is that of the documents, `base` the folder relative paths count from."""
    path = _path(source, base)
    if path is None:
        return IrJudgements(source.removeprefix(_IR_DATASETS), language)
    return LocalJudgements(source, path if path.is_file() else find_file(path, "qrels", language, ["trec", "tsv"]))


def _path(source: str, base: Path) -> Path | None:
    if source.startswith(PREFIX):
        return builtin_data(source)
    return None if source.startswith(_IR_DATASETS) else local_path(source, base)
