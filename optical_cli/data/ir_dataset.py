"""Collections, topics and judgements of ir_datasets, which is imported only when a dataset is read."""

import difflib
import json
import locale
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, before_download, downloads_allowed, downloads_off, not_here, size_of
from optical_cli.data.documents import BLANK, Document, checked_documents
from optical_cli.data.paths import Part, real_path
from optical_cli.data.text_files import Place
from optical_cli.data.topics import check_topic_fields, checked_judgements, checked_topics, topic_text
from optical_cli.errors import DataError, MissingDependency, NotHere, one_line

_UNITS = {"docs": "document", "queries": "topic", "qrels": "judgement"}
_CORRECTED_CODES = {"dt": "nl"}  # ir_datasets has a wrong language code for the Dutch of mMARCO
_READING = 1  # raised when records are read in another way, so that remembered fingerprints expire


@dataclass(frozen=True)
class IrDataset:
    """The documents, topics or judgements of a dataset of ir_datasets."""

    name: str  # id of the dataset
    part: Part
    language: str  # according to the experiment
    template: str | None = None  # selects the fields of topics; None for the default field

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of the records, which is remembered for this home folder and version of ir_datasets.

        ir_datasets verifies its downloads once. A file that was put into its home folder by hand is not noticed.
        """
        part = f"{self.part} of {self.name}{'' if self.template is None else f' as {self.template}'}"
        name = f"ir_datasets {_version()}, reading {_READING}: {part} in {_home()}"
        return memo.of_stream(name, lambda: (json.dumps(record).encode() for record in self._checked()))

    def download(self) -> None:
        """Read all records, which downloads missing files."""
        for _ in self._checked():
            pass

    def local_copy(self, memo: Fingerprints | None = None, /) -> LocalCopy:
        """Return the copy in the home folder of ir_datasets; NotHere if a file is missing.

        Without a `memo`, only the first record is read. With a `memo`, all are, unless it has their fingerprint.
        """
        with downloads_off():
            next(iter(self._checked()), None)
            if memo is not None:
                self.fingerprint(memo)
            with self._open() as dataset:
                files = set(_files_of(getattr(dataset, f"{self.part}_handler")()))
        return LocalCopy(_home(), size_of(files) if files else None, downloaded=True)

    def documents(self) -> Iterator[Document]:
        """Stream the documents: `title` and `text`, or `default_text()` of a type without `text`.

        Up to 1 % of the documents may be blank and are kept, because other systems searched the collection with them.
        """
        return checked_documents(self.name, ((place, _document(doc)) for place, doc in self._records()), BLANK)

    def count(self) -> int | None:
        """Return the number of documents; None if ir_datasets would have to download a file to know it."""
        with suppress(DataError), downloads_off(), self._open() as dataset:
            count = dataset.docs_count()
            return None if count is None else int(count)
        return None

    def topics(self) -> dict[str, str]:
        """Return the topic texts by query id.

        Raises:
            DataError: topics lack a field of the template, or the field is in another language.
        """
        topics = ((place, topic.query_id, topic_text(topic, self.template)) for place, topic in self._records())
        return checked_topics(self.name, topics)

    def judgements(self) -> dict[str, dict[str, int]]:
        """Return the grades by query id and document id."""
        grades = ((place, qrel.query_id, qrel.doc_id, qrel.relevance) for place, qrel in self._records())
        return checked_judgements(self.name, grades)

    def _checked(self) -> Iterable[tuple[Any, ...]]:
        if self.part == "docs":
            return ((doc.doc_id, doc.title, doc.text) for doc in self.documents())
        return (self.topics() if self.part == "queries" else self.judgements()).items()

    def _records(self) -> Iterator[tuple[Place, Any]]:
        """Stream the records of ir_datasets; DataError if they are in another language."""
        with self._open() as dataset:
            if self.part != "qrels":
                self._check_language(getattr(dataset, f"{self.part}_lang")())
            if self.part == "queries":
                check_topic_fields(self.name, dataset.queries_cls(), self.template, self.language)
            for number, record in enumerate(getattr(dataset, f"{self.part}_iter")(), start=1):
                yield Place(self.name, number, _UNITS[self.part]), record

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """Open the dataset; errors of ir_datasets while it downloads or reads become a DataError of one line."""
        try:
            yield _load(self.name, self.part)
        # errors of requests and a wrong MD5 are OSErrors; a RuntimeError says that every mirror failed
        except (NotHere, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
            if _refused_download(error):
                raise not_here(f"{self.name} is missing or incomplete in {_home()}") from error
            raise DataError(
                f"{self.name} cannot be read through ir_datasets ({one_line(error)}); "
                f"check the network, or set IR_DATASETS_HOME to a folder that has it (now {_home()})"
            ) from error

    def _check_language(self, known: str | None) -> None:
        known = _CORRECTED_CODES.get(known or "", known)
        if known is not None and len(known) == len(self.language) == 2 and known != self.language:
            raise DataError(f"{self.name} is in '{known}', not in '{self.language}'; correct the languages of the pair")


def _home() -> Path:
    # like ir_datasets.util.home_path, which would need the import
    return real_path(Path(os.environ.get("IR_DATASETS_HOME", Path.home() / ".ir_datasets")))


@cache  # the look-up takes 2 ms, and a report needs it hundreds of times
def _version() -> str:
    try:
        return version("ir_datasets")
    except PackageNotFoundError as error:
        raise MissingDependency("ir_datasets is not installed; run pip install ir_datasets") from error


def _load(dataset_id: str, part: Part) -> Any:
    # ir_datasets 0.6 reads TSV topics in the encoding of the locale (formats/tsv.py, TextIOWrapper)
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") != "utf8":
        raise DataError(f"ir_datasets would read topics as {encoding}, expected UTF-8; set PYTHONUTF8=1 and try again")
    import ir_datasets

    ir_datasets.log.easy().logger().addFilter(_is_for_the_user)
    _guard_downloads(ir_datasets)
    try:
        dataset = ir_datasets.load(dataset_id)
    except KeyError:
        near = difflib.get_close_matches(dataset_id, list(ir_datasets.registry), n=3, cutoff=0.5)
        hint = f"the nearest ids are {', '.join(near)}" if near else "see https://ir-datasets.com for the ids"
        raise DataError(f"{dataset_id} is neither an existing path nor a dataset of ir_datasets; {hint}") from None
    if not dataset.has(part):
        parts = ", ".join(name for name in ("docs", "queries", "qrels") if dataset.has(name)) or "nothing"
        raise DataError(f"{dataset_id} has no {part} in ir_datasets, only {parts}; name another source")
    return dataset


def _guard_downloads(ir_datasets: Any) -> None:
    """Make ir_datasets raise NotHere while downloads are off, where it loads `requests` (util/download.py)."""
    lazy, real = ir_datasets.lazy_libs, ir_datasets.lazy_libs.requests
    if real.__module__ == __name__:
        return

    def requests() -> Any:
        before_download("a file of ir_datasets is missing")
        return real()

    lazy.requests = requests


def _refused_download(error: Exception) -> bool:
    """Return whether an error came from downloads being off. ir_datasets lists the errors of a file's mirrors."""
    tried = error.args[1] if len(error.args) == 2 and isinstance(error.args[1], list) else [("", error)]
    return any(isinstance(fault, NotHere) for _, fault in tried)


def _is_for_the_user(record: logging.LogRecord) -> bool:
    # shows licences, progress and how to obtain data; a failed download is reported by our own error only
    message = record.getMessage().lower()
    return not message.startswith("download") if downloads_allowed() else message.startswith("to use this dataset")


def _files_of(part: Any) -> Iterator[Path]:
    """Find the downloaded files of a part of a dataset in its attributes, because ir_datasets does not list them."""
    waiting, seen = [part], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str | Path) and Path(value).is_absolute() and Path(value).is_file():
            yield Path(value)
        elif isinstance(value, list | tuple):
            waiting += value
        elif type(value).__module__.startswith("ir_datasets") and id(value) not in seen:
            seen.add(id(value))
            waiting += vars(value).values() if hasattr(value, "__dict__") else []


def _document(doc: Any) -> Document:
    text = getattr(doc, "text", None)
    if isinstance(text, str):
        return Document(doc.doc_id, getattr(doc, "title", None) or "", text)
    return Document(doc.doc_id, "", doc.default_text())
