"""Collections, topics and judgements of ir_datasets, which is imported only when one of them is read."""

import difflib
import json
import locale
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.documents import Document, checked_documents
from optical_cli.data.downloads import downloads_allowed, downloads_off
from optical_cli.data.held import Held, size_of
from optical_cli.data.judgements import checked_judgements
from optical_cli.data.places import Place
from optical_cli.data.topic_fields import check_topic_fields, topic_text
from optical_cli.data.topics import checked_topics
from optical_cli.errors import DataError, MissingDependency, NotHere, one_line

Part = Literal["docs", "queries", "qrels"]

_MISNAMED = {"dt": "nl"}
"""Languages that ir_datasets calls by a code that is none: mMARCO's Dutch."""
_BLANK = 0.01
"""The share of blank documents that a published collection may have."""
_READING = 1  # raise it when records are made of a dataset in another way: remembered fingerprints end


@dataclass(frozen=True)
class IrDataset:
    """A dataset id, and the language the experiment takes its text to be in."""

    part: ClassVar[Part]

    dataset_id: str
    language: str

    @property
    def name(self) -> str:
        """The id, for labels and messages."""
        return self.dataset_id

    def fingerprint(self, memo: Fingerprints) -> str:
        """The SHA-256 of the records as they are read.

        It is remembered for this dataset in this home of this version of ir_datasets. That library verifies what it
        downloads and then leaves it alone, so these three name the content; files placed into its home by hand under
        the same name are not noticed.
        """
        part = f"{self.part} of {self.dataset_id}{self._variant}"
        name = f"ir_datasets {_version()}, reading {_READING}: {part} in {_home()}"
        return memo.of_stream(name, lambda: (json.dumps(record).encode() for record in self._fields()))

    def known_fingerprint(self, memo: Fingerprints) -> str:
        """The same as is remembered, or as it is read with no network.

        Raises:
            NotHere: a file would have to be downloaded.
        """
        with downloads_off():
            return self.fingerprint(memo)

    def download(self) -> None:
        """Read it to the end, which downloads what is missing."""
        for _ in self._fields():
            pass

    def held(self, memo: Fingerprints | None = None, /) -> Held:
        """What the home of ir_datasets has of it: it is read, with no network, as far as its first record.

        Args:
            memo: read it to the end, unless this remembers its fingerprint.

        Raises:
            NotHere: a file would have to be downloaded.
        """
        with downloads_off():
            for _ in self._fields():
                break
            if memo is not None:
                self.fingerprint(memo)
            files = set(_files_of(getattr(_load(self.dataset_id, self.part), f"{self.part}_handler")()))
        return Held(_home(), size_of(files) if files else None, downloaded=True)

    @property
    def _variant(self) -> str:
        """What of it is read, if there is a choice."""
        return ""

    def _fields(self) -> Iterable[tuple[Any, ...]]:
        """What the fingerprint is of."""
        raise NotImplementedError


class IrDocuments(IrDataset):
    """The documents of a dataset."""

    part = "docs"

    def _fields(self) -> Iterable[tuple[Any, ...]]:
        return ((doc.doc_id, doc.title, doc.text) for doc in self.documents())

    def documents(self) -> Iterator[Document]:
        """Stream the documents: `title` and `text`, or `default_text()` of a type that has no `text`.

        Few blank ones stay: a published collection cannot be mended, and other systems have searched it with them.
        """
        return checked_documents(self.name, self._records(), _BLANK)

    def count(self) -> int | None:
        """What ir_datasets knows of their number; None also where it would have to fetch something to know it."""
        try:
            with downloads_off(), _faults_told(self.dataset_id):
                count = _load(self.dataset_id, "docs").docs_count()
        except DataError:
            return None
        return None if count is None else int(count)

    def _records(self) -> Iterator[tuple[Place, Document]]:
        with _faults_told(self.dataset_id):
            dataset = _load(self.dataset_id, "docs")
            _check_language(self, dataset.docs_lang())
            for number, doc in enumerate(dataset.docs_iter(), start=1):
                yield Place(self.name, number, "document"), _document(doc)


@dataclass(frozen=True)
class IrTopics(IrDataset):
    """The topics of a dataset, and which of their fields are asked: a template, or None for the usual one."""

    template: str | None = None

    part = "queries"

    @property
    def _variant(self) -> str:
        return "" if self.template is None else f" as {self.template}"

    def _fields(self) -> Iterable[tuple[Any, ...]]:
        return self.topics().items()

    def topics(self) -> dict[str, str]:
        """Topic texts by query id: the template filled, or `text`, else `title`, else `default_text()`.

        Raises:
            DataError: topics lack a field of the template, or what is asked is in another language.
        """
        return checked_topics(self.name, self._records())

    def _records(self) -> Iterator[tuple[Place, str, str]]:
        with _faults_told(self.dataset_id):
            dataset = _load(self.dataset_id, "queries")
            _check_language(self, dataset.queries_lang())
            check_topic_fields(self.name, dataset.queries_cls(), self.template, self.language)
            for number, query in enumerate(dataset.queries_iter(), start=1):
                yield Place(self.name, number, "topic"), query.query_id, topic_text(query, self.template)


class IrJudgements(IrDataset):
    """The judgements of a dataset."""

    part = "qrels"

    def _fields(self) -> Iterable[tuple[Any, ...]]:
        return self.judgements().items()

    def judgements(self) -> dict[str, dict[str, int]]:
        """Grades by query id and document id."""
        return checked_judgements(self.name, self._records())

    def _records(self) -> Iterator[tuple[Place, str, str, int]]:
        with _faults_told(self.dataset_id):
            qrels = _load(self.dataset_id, "qrels").qrels_iter()
            for number, qrel in enumerate(qrels, start=1):
                yield Place(self.name, number, "judgement"), qrel.query_id, qrel.doc_id, qrel.relevance


def _home() -> Path:
    # as ir_datasets.util.home_path, without the import
    return Path(os.environ.get("IR_DATASETS_HOME", Path.home() / ".ir_datasets")).resolve()


@cache  # the library takes 2 ms to say it, and a report asks hundreds of times
def _version() -> str:
    try:
        return version("ir_datasets")
    except PackageNotFoundError as error:
        raise MissingDependency("ir_datasets is not installed: pip install ir_datasets") from error


def _load(dataset_id: str, part: Part) -> Any:
    _check_locale()
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


class _Refused(OSError):  # noqa: N818 - what has happened to it
    """A download that was not to be."""


def _guard_downloads(ir_datasets: Any) -> None:
    """Refuse ir_datasets the library that it downloads with (util/download.py) while downloads are off."""
    lazy, real = ir_datasets.lazy_libs, ir_datasets.lazy_libs.requests
    if real.__module__ == __name__:
        return

    def requests() -> Any:
        if not downloads_allowed():
            raise _Refused("downloads are off")
        return real()

    lazy.requests = requests


def _was_refused(error: BaseException) -> bool:
    """Whether the fault is our refusal, or ir_datasets' word for that of every mirror: a message and pairs with it."""
    if isinstance(error, _Refused):
        return True
    tried = error.args[1] if len(error.args) == 2 and isinstance(error.args[1], list) else []
    return any(isinstance(fault, _Refused) for _, fault in tried)


def _worth_showing(record: logging.LogRecord) -> bool:
    # licences, progress and how to come by data are for the user; a failed download is told once, by our own error
    said = record.getMessage().lower()
    return not said.startswith("download") if downloads_allowed() else said.startswith("to use this dataset")


def _check_locale() -> None:
    # ir_datasets 0.6 reads TSV topics in the encoding of the locale (formats/tsv.py, TextIOWrapper)
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if encoding.lower().replace("-", "") != "utf8":
        raise DataError(f"ir_datasets would read topics as {encoding}; set PYTHONUTF8=1 and start again")


def _check_language(dataset: IrDataset, known: str | None) -> None:
    known = _MISNAMED.get(known or "", known)
    comparable = known is not None and len(known) == len(dataset.language) == 2
    if comparable and known != dataset.language:
        raise DataError(f"{dataset.name} is in '{known}', not in '{dataset.language}'; name the pair by its languages")


@contextmanager
def _faults_told(dataset_id: str) -> Iterator[None]:
    """Tell what can go wrong while ir_datasets downloads or reads, in one line."""
    try:
        yield
    # requests' errors and a wrong MD5 are OSErrors, a dataset whose every mirror failed is a RuntimeError
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        if _was_refused(error):
            raise NotHere(f"{dataset_id} is not whole in {_home()}, and downloads are off") from error
        raise DataError(
            f"{dataset_id} cannot be read through ir_datasets ({one_line(error)}); "
            f"check the network, or point IR_DATASETS_HOME to a folder that holds it (now {_home()})"
        ) from error


def _files_of(part: Any) -> Iterator[Path]:
    """The files that a part of a dataset was downloaded to, as far as its attributes tell: the library has no word."""
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
