"""Collections, topics and judgements: the table of formats that they come in, and what opens them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, size_of
from optical_cli.data.documents import Document, read_documents
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.data.paths import PREFIX, Part, as_path, builtin_path, exists, local_path, part_in
from optical_cli.data.text_files import file_digest, read_lines
from optical_cli.data.topics import read_judgements, read_topics
from optical_cli.errors import DataError

_IR_DATASETS = "ir_datasets:"


class Source(Protocol):
    """Something with a readable name and a fingerprint of its content."""

    @property
    def name(self) -> str:
        """For labels and messages; never part of a key."""

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of the content, 64 hex digits."""

    def local_copy(self, memo: Fingerprints | None = None, /) -> LocalCopy:
        """What is here of it, NotHere if a part is not; with a `memo`, also check that it can be read whole."""


class DocumentSource(Source, Protocol):
    """The documents of a collection."""

    def documents(self) -> Iterator[Document]:
        """Stream the documents, checked; DataError at the first that is unsound."""

    def count(self) -> int | None:
        """The number of documents, for estimates of time; None if it is unknown before they are read."""


class TopicSource(Source, Protocol):
    """A set of topics."""

    def topics(self) -> dict[str, str]:
        """Topic texts by query id, at least one."""


class JudgementSource(Source, Protocol):
    """A set of relevance judgements."""

    def judgements(self) -> dict[str, dict[str, int]]:
        """Grades by query id and document id, at least one."""


@dataclass(frozen=True)
class LocalFile:
    """A file, read as what it was opened for."""

    name: str
    path: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """The SHA-256 of the file's bytes."""
        return file_digest(self.path, memo)

    def local_copy(self, _memo: Fingerprints | None = None, /) -> LocalCopy:
        """The file."""
        return LocalCopy(self.path, size_of([self.path]))

    def documents(self) -> Iterator[Document]:
        """Stream the documents of a JSON Lines file."""
        return read_documents(self.path)

    def count(self) -> int:
        """The lines of the file."""
        return sum(1 for _ in read_lines(self.path))

    def topics(self) -> dict[str, str]:
        """Topic texts by query id of a TSV file."""
        return read_topics(self.path)

    def judgements(self) -> dict[str, dict[str, int]]:
        """Grades by query id and document id of a TREC qrels file."""
        return read_judgements(self.path)


class Wanted(NamedTuple):
    """A part of a collection that an experiment asks for; `template` names the fields of topics, None the usual one."""

    source: str
    base: Path
    part: Part
    language: str
    template: str | None = None


def _packaged(wanted: Wanted) -> LocalFile | None:
    if not wanted.source.startswith(PREFIX):
        return None
    return _local(wanted, builtin_path("collection", wanted.source))


def _of_ir_datasets(wanted: Wanted) -> IrDataset | None:
    if not wanted.source.startswith(_IR_DATASETS) and local_path(wanted.source, wanted.base) is not None:
        return None
    return IrDataset(wanted.source.removeprefix(_IR_DATASETS), wanted.part, wanted.language, wanted.template)


def _at_path(wanted: Wanted) -> LocalFile | None:
    path = as_path(wanted.source, wanted.base)
    return _local(wanted, path) if exists(path) else None


def _local(wanted: Wanted, path: Path) -> LocalFile:
    if wanted.template is not None:
        raise DataError(f"{path}: topics of a file are one text each, without fields; leave pairs.*.topic_text out")
    if wanted.part == "docs" or not path.is_file():
        path = part_in(path, wanted.part, wanted.language)
    return LocalFile(wanted.source, path)


FORMATS: dict[str, Callable[[Wanted], LocalFile | IrDataset | None]] = {
    "builtin:tiny": _packaged,
    "an id of ir_datasets (ir_datasets:ID where a path of that name exists)": _of_ir_datasets,
    "a folder, or one file of topics or of judgements": _at_path,
}
"""What a source looks like, for people, and what opens it: None if it is of another format. The first that can does."""


def _open(wanted: Wanted) -> LocalFile | IrDataset:
    for open_format in FORMATS.values():
        if (opened := open_format(wanted)) is not None:
            return opened
    path, known = as_path(wanted.source, wanted.base), "; ".join(FORMATS)
    raise DataError(f"{path} does not exist; relative paths count from the experiment file. Expected {known}")


def open_documents(source: str, language: str, base: Path) -> DocumentSource:
    """Find the documents of a collection; nothing is read yet, and relative paths start at `base`."""
    return _open(Wanted(source, base, "docs", language))


def open_topics(source: str, language: str, base: Path, template: str | None = None) -> TopicSource:
    """Find topics in the query language; a template such as `{title} {description}` says which fields are asked."""
    return _open(Wanted(source, base, "queries", language, template))


def open_judgements(source: str, language: str, base: Path) -> JudgementSource:
    """Find the judgements of documents in a language."""
    return _open(Wanted(source, base, "qrels", language))
