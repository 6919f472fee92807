"""Collections, topics and judgements in local files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.documents import Document, read_documents
from optical_cli.data.file_digest import file_digest
from optical_cli.data.held import Held, size_of
from optical_cli.data.judgements import read_judgements
from optical_cli.data.lines import read_lines
from optical_cli.data.locations import listed, names_in
from optical_cli.data.topics import read_topics
from optical_cli.errors import DataError


@dataclass(frozen=True)
class LocalFile:
    """One file and its fingerprint."""

    name: str
    path: Path

    def fingerprint(self, memo: Fingerprints) -> str:
        """The SHA-256 of the file's bytes."""
        return file_digest(self.path, memo)

    def held(self, _memo: Fingerprints | None = None, /) -> Held:
        """The file."""
        return Held(self.path, size_of([self.path]))


class LocalDocuments(LocalFile):
    """Documents of a JSON Lines file."""

    def documents(self) -> Iterator[Document]:
        """Stream the documents."""
        return read_documents(self.path)

    def count(self) -> int:
        """The lines of the file."""
        return sum(1 for _ in read_lines(self.path))


class LocalTopics(LocalFile):
    """Topics of a TSV file."""

    def topics(self) -> dict[str, str]:
        """Topic texts by query id."""
        return read_topics(self.path)


class LocalJudgements(LocalFile):
    """Judgements of a TREC qrels file."""

    def judgements(self) -> dict[str, dict[str, int]]:
        """Grades by query id and document id."""
        return read_judgements(self.path)


def find_file(folder: Path, stem: str, language: str, endings: Sequence[str]) -> Path:
    """The file of a folder that holds a part of a collection, such as `docs.sw.jsonl` or `docs.jsonl`.

    A file that names the language wins; each may be gzipped (`.gz`).

    Raises:
        DataError: there is no such file, or there are two.
    """
    held = names_in(folder)
    named = [f"{stem}.{language}.{ending}" for ending in endings]
    plain = [f"{stem}.{ending}" for ending in endings]
    for names in (named, plain):
        present = [name for wanted in names for name in (wanted, f"{wanted}.gz") if name in held]
        if len(present) > 1:
            raise DataError(f"{folder} holds both {' and '.join(present)}; keep one of them")
        if present:
            return folder / present[0]
    raise DataError(f"{folder} holds no {' or '.join(named + plain)} (or .gz); it holds {listed(held)}")
