"""The collection format of ir_datasets, which is imported only when a dataset is read."""

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
from optical_cli.data.documents import Document, checked_documents
from optical_cli.data.paths import Part
from optical_cli.data.text_files import Place
from optical_cli.data.topics import check_topic_fields, checked_judgements, checked_topics, topic_text
from optical_cli.errors import DataError, MissingDependency, NotHere, one_line

_UNITS = {"docs": "document", "queries": "topic", "qrels": "judgement"}
_MISNAMED = {"dt": "nl"}  # languages that ir_datasets calls by a code that is none: mMARCO's Dutch
_BLANK = 0.01  # the share of blank documents that a published collection may have
_READING = 1  # raise it when records are made of a dataset in another way: remembered fingerprints end


@dataclass(frozen=True)
class IrDataset:
    """A part of a dataset."""

    name: str  # its id
    part: Part
    language: str  # that the experiment takes it to be in
    template: str | None = None  # which fields of topics are asked; None for the usual one

    def fingerprint(self, memo: Fingerprints) -> str:
        """The SHA-256 of the records as they are read, remembered for this home and version of ir_datasets.

        It verifies what it downloads, and then leaves it alone. Files placed into its home by hand are not noticed.
        """
        part = f"{self.part} of {self.name}{'' if self.template is None else f' as {self.template}'}"
        name = f"ir_datasets {_version()}, reading {_READING}: {part} in {_home()}"
        return memo.of_stream(name, lambda: (json.dumps(record).encode() for record in self._checked()))

    def download(self) -> None:
        """Read it to the end, which downloads what is missing."""
        for _ in self._checked():
            pass

    def local_copy(self, memo: Fingerprints | None = None, /) -> LocalCopy:
        """What the home of ir_datasets has of it, read up to its first record; NotHere if a file is missing.

        With a `memo` it is read to the end, unless its fingerprint is remembered.
        """
        with downloads_off():
            next(iter(self._checked()), None)
            if memo is not None:
                self.fingerprint(memo)
            with self._open() as dataset:
                files = set(_files_of(getattr(dataset, f"{self.part}_handler")()))
        return LocalCopy(_home(), size_of(files) if files else None, downloaded=True)

    def documents(self) -> Iterator[Document]:
        """Stream the documents: `title` and `text`, or `default_text()` of a type that has no `text`.

        A few blank ones stay: a published collection cannot be mended, and other systems searched it with them.
        """
        return checked_documents(self.name, ((place, _document(doc)) for place, doc in self._records()), _BLANK)

    def count(self) -> int | None:
        """The number of documents that ir_datasets knows; None if it would have to download something to know it."""
        with suppress(DataError), downloads_off(), self._open() as dataset:
            count = dataset.docs_count()
            return None if count is None else int(count)
        return None

    def topics(self) -> dict[str, str]:
        """Topic texts by query id; DataError if topics lack a field of the template, or it is in another language."""
        topics = ((place, topic.query_id, topic_text(topic, self.template)) for place, topic in self._records())
        return checked_topics(self.name, topics)

    def judgements(self) -> dict[str, dict[str, int]]:
        """Grades by query id and document id."""
        grades = ((place, qrel.query_id, qrel.doc_id, qrel.relevance) for place, qrel in self._records())
        return checked_judgements(self.name, grades)

    def _checked(self) -> Iterable[tuple[Any, ...]]:
        if self.part == "docs":
            return ((doc.doc_id, doc.title, doc.text) for doc in self.documents())
        return (self.topics() if self.part == "queries" else self.judgements()).items()

    def _records(self) -> Iterator[tuple[Place, Any]]:
        """The records of ir_datasets, if they are in the language."""
        with self._open() as dataset:
            if self.part != "qrels":
                self._check_language(getattr(dataset, f"{self.part}_lang")())
            if self.part == "queries":
                check_topic_fields(self.name, dataset.queries_cls(), self.template, self.language)
            for number, record in enumerate(getattr(dataset, f"{self.part}_iter")(), start=1):
                yield Place(self.name, number, _UNITS[self.part]), record

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The dataset; what goes wrong while ir_datasets downloads or reads is raised as a DataError of one line."""
        try:
            yield _load(self.name, self.part)
        # requests' errors and a wrong MD5 are OSErrors, a dataset whose every mirror failed is a RuntimeError
        except (NotHere, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
            if _was_refused(error):
                raise not_here(f"{self.name} is not whole in {_home()}") from error
            raise DataError(
                f"{self.name} cannot be read through ir_datasets ({one_line(error)}); "
                f"check the network, or point IR_DATASETS_HOME to a folder that holds it (now {_home()})"
            ) from error

    def _check_language(self, known: str | None) -> None:
        known = _MISNAMED.get(known or "", known)
        if known is not None and len(known) == len(self.language) == 2 and known != self.language:
            raise DataError(f"{self.name} is in '{known}', not in '{self.language}'; name the pair by its languages")


def _home() -> Path:
    # as ir_datasets.util.home_path, without the import
    return Path(os.environ.get("IR_DATASETS_HOME", Path.home() / ".ir_datasets")).resolve()


@cache  # the look-up takes 2 ms, and a report asks hundreds of times
def _version() -> str:
    try:
        return version("ir_datasets")
    except PackageNotFoundError as error:
        raise MissingDependency("ir_datasets is not installed: pip install ir_datasets") from error


def _load(dataset_id: str, part: Part) -> Any:
    # ir_datasets 0.6 reads TSV topics in the encoding of the locale (formats/tsv.py, TextIOWrapper)
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") != "utf8":
        raise DataError(f"ir_datasets would read topics as {encoding}; set PYTHONUTF8=1 and start again")
    import ir_datasets

    ir_datasets.log.easy().logger().addFilter(_worth_showing)
    _guard_downloads(ir_datasets)
    try:
        dataset = ir_datasets.load(dataset_id)
    except KeyError:
        near = difflib.get_close_matches(dataset_id, list(ir_datasets.registry), n=3, cutoff=0.5)
        hint = f"the nearest ids are {', '.join(near)}" if near else "see https://ir-datasets.com for the ids"
        raise DataError(f"{dataset_id} is neither a path that exists nor a dataset of ir_datasets; {hint}") from None
    if not dataset.has(part):
        parts = ", ".join(name for name in ("docs", "queries", "qrels") if dataset.has(name)) or "nothing"
        raise DataError(f"{dataset_id} has no {part} in ir_datasets (it has {parts}); name another source")
    return dataset


def _guard_downloads(ir_datasets: Any) -> None:
    """Refuse ir_datasets the library that it downloads with (util/download.py) while downloads are off."""
    lazy, real = ir_datasets.lazy_libs, ir_datasets.lazy_libs.requests
    if real.__module__ == __name__:
        return

    def requests() -> Any:
        before_download("a file of ir_datasets is not here")
        return real()

    lazy.requests = requests


def _was_refused(error: Exception) -> bool:
    """Whether downloads were off. Where a file has several mirrors, ir_datasets lists the error of each."""
    tried = error.args[1] if len(error.args) == 2 and isinstance(error.args[1], list) else [("", error)]
    return any(isinstance(fault, NotHere) for _, fault in tried)


def _worth_showing(record: logging.LogRecord) -> bool:
    # licences, progress and how to come by data are for the user; a failed download is told once, by our own error
    said = record.getMessage().lower()
    return not said.startswith("download") if downloads_allowed() else said.startswith("to use this dataset")


def _files_of(part: Any) -> Iterator[Path]:
    """The files that a part of a dataset was downloaded to, found in its attributes: ir_datasets does not list them."""
    waiting, seen = [part], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, str | Path) and Path(one).is_absolute() and Path(one).is_file():
            yield Path(one)
        elif isinstance(one, list | tuple):
            waiting += one
        elif type(one).__module__.startswith("ir_datasets") and id(one) not in seen:
            seen.add(id(one))
            waiting += vars(one).values() if hasattr(one, "__dict__") else []


def _document(doc: Any) -> Document:
    text = getattr(doc, "text", None)
    if isinstance(text, str):
        return Document(doc.doc_id, getattr(doc, "title", None) or "", text)
    return Document(doc.doc_id, "", doc.default_text())
