"""Opens collections, topics and judgements, and lists the formats they come in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, size_of
from optical_cli.data.documents import Document, read_documents
from optical_cli.data.hub_collection import PREFIX as HUB
from optical_cli.data.hub_collection import HubCollection
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.data.parquet import count_records, is_parquet
from optical_cli.data.paths import PREFIX, Part, as_path, builtin_path, exists, local_path, part_in
from optical_cli.data.text_files import file_digest, read_lines
from optical_cli.data.topics import read_judgements, read_topics
from optical_cli.errors import DataError

_IR_DATASETS = "ir_datasets:"


class Source(Protocol):
    """An input with a readable name and a fingerprint of its content."""

    @property
    def name(self) -> str:
        """Name in labels and messages; never part of a key."""

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of the content, 64 hex digits."""

    def local_copy(self, memo: Fingerprints | None = None, /) -> LocalCopy:
        """Return the local copy; NotHere if a part is missing. With a `memo`, check that it can be read to its end."""


class DocumentSource(Source, Protocol):
    """The documents of a collection."""

    def documents(self) -> Iterator[Document]:
        """Stream the documents; DataError at the first invalid one."""

    def count(self) -> int | None:
        """Return the number of documents, for time estimates; None if only reading them would tell."""


class TopicSource(Source, Protocol):
    """A set of topics."""

    def topics(self) -> dict[str, str]:
        """Return the topic texts by query id, at least one."""


class JudgementSource(Source, Protocol):
    """A set of relevance judgements."""

    def judgements(self) -> dict[str, dict[str, int]]:
        """Return the grades by query id and document id, at least one."""


@dataclass(frozen=True)
class LocalFile:
    """A file of documents (JSON Lines), topics (TSV or JSON Lines) or judgements (TREC or BEIR), or parquet of each."""

    name: str
    path: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of the file's bytes."""
        return file_digest(self.path, memo)

    def local_copy(self, _memo: Fingerprints | None = None, /) -> LocalCopy:
        """Return the path and size of the file."""
        return LocalCopy(self.path, size_of([self.path]))

    def documents(self) -> Iterator[Document]:
        """Stream the documents of a JSON Lines file."""
        return read_documents(self.path)

    def count(self) -> int:
        """Return the number of lines or rows."""
        return count_records(self.path) if is_parquet(self.path) else sum(1 for _ in read_lines(self.path))

    def topics(self) -> dict[str, str]:
        """Read a file of topics; return their texts by query id."""
        return read_topics(self.path)

    def judgements(self) -> dict[str, dict[str, int]]:
        """Read a file of judgements; return the grades by query id and document id."""
        return read_judgements(self.path)


class Request(NamedTuple):
    """A part of a collection that an experiment names.

    `template` selects the fields of topics, such as `{title} {description}`; None for the default field.
    """

    source: str
    base: Path
    part: Part
    language: str
    template: str | None = None


def _open_builtin(request: Request) -> LocalFile | None:
    if not request.source.startswith(PREFIX):
        return None
    return _local_file(request, builtin_path("collection", request.source))


def _open_ir_dataset(request: Request) -> IrDataset | None:
    named = request.source.startswith(_IR_DATASETS)
    if not named and ("#" in request.source or local_path(request.source, request.base) is not None):  # FOLDER#SPLIT
        return None
    return IrDataset(request.source.removeprefix(_IR_DATASETS), request.part, request.language, request.template)


def _open_hub(request: Request) -> HubCollection | None:
    if not request.source.startswith(HUB):
        return None
    _refuse_fields(request)
    return HubCollection(request.source, request.part, request.base)


def _open_path(request: Request) -> LocalFile | None:
    path = as_path(request.source, request.base)
    if exists(path):
        return _local_file(request, path)
    folder, marked, split = request.source.rpartition("#")
    beir = as_path(folder, request.base)
    return _local_file(request, beir, split) if marked and exists(beir) and beir.is_dir() else None


def _local_file(request: Request, path: Path, split: str = "") -> LocalFile:
    _refuse_fields(request)
    if request.part == "docs" or not path.is_file():
        path = part_in(path, request.part, request.language, split)
    return LocalFile(request.source, path)


def _refuse_fields(request: Request) -> None:
    if request.template is not None:
        raise DataError(f"{request.source}: its topics are one text each, without fields; remove pairs.*.topic_text")


FORMATS: dict[str, Callable[[Request], LocalFile | HubCollection | IrDataset | None]] = {
    "builtin:tiny": _open_builtin,
    "hf:OWNER/NAME#CONFIG:SPLIT of the Hugging Face hub": _open_hub,
    "an id of ir_datasets (ir_datasets:ID where a path of that name exists)": _open_ir_dataset,
    "a folder (of BEIR with FOLDER#SPLIT), or one file of topics or of judgements": _open_path,
}
"""Description of each format, and the function that opens a request in it, or returns None for another format.

The first format that opens a request is used.
"""


def _open(request: Request) -> LocalFile | HubCollection | IrDataset:
    for open_format in FORMATS.values():
        if (opened := open_format(request)) is not None:
            return opened
    path, known = as_path(request.source, request.base), "; ".join(FORMATS)
    raise DataError(
        f"{path} does not exist; relative paths start from the folder of the experiment file. Expected {known}"
    )


def open_documents(source: str, language: str, base: Path) -> DocumentSource:
    """Open the documents of a collection, without reading them; relative paths start from `base`."""
    return _open(Request(source, base, "docs", language))


def open_topics(source: str, language: str, base: Path, template: str | None = None) -> TopicSource:
    """Open topics in a language; a template such as `{title} {description}` selects the fields to search with."""
    return _open(Request(source, base, "queries", language, template))


def open_judgements(source: str, language: str, base: Path) -> JudgementSource:
    """Open the judgements of documents in a language."""
    return _open(Request(source, base, "qrels", language))
