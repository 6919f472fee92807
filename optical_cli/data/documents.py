"""Documents: reading them from JSON Lines files, checking them, and sampling a pool from a collection."""

import hashlib
import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optical_cli.data.parquet import is_parquet, read_records
from optical_cli.data.text_files import Place, checked_id, checked_text, id_key, is_blank, json_object, read_lines
from optical_cli.errors import DataError, quoted

BLANK = 0.01
"""Share of documents that may be blank in a published collection."""
_FIELD = re.compile(r"\{title\}|\{text\}")


@dataclass(frozen=True)
class Document:
    """A document of a collection; `title` is empty where it has none."""

    doc_id: str
    title: str
    text: str


def fill(template: str, document: Document) -> str:
    """Return the text to encode: the template, filled in one pass, so that braces in the document's text stay."""
    parts = {"{title}": document.title, "{text}": document.text}
    return _FIELD.sub(lambda field: parts[field[0]], template).strip()


def fills_blank(template: str, document: Document) -> bool:
    """Return whether a template takes nothing from a document: all fields that it names are blank."""
    return all(is_blank(document.title if field == "{title}" else document.text) for field in _FIELD.findall(template))


def read_documents(path: Path) -> Iterator[Document]:
    """Stream a JSON Lines or parquet file with `doc_id` (or `_id`, as BEIR has it), `text` and an optional `title`.

    Other keys are ignored.
    """
    if is_parquet(path):
        records = read_records(path, ("doc_id", "_id", "id", "title", "text"))
    else:
        records = ((place, json_object(place, line)) for place, line in read_lines(path))
    return checked_documents(str(path), ((place, _document(place, record)) for place, record in records))


def checked_documents(
    source: str, documents: Iterable[tuple[Place, Document]], blank: float = 0.0
) -> Iterator[Document]:
    """Check documents while they are streamed; `blank` is the share of them that may have neither title nor text.

    Raises:
        DataError: a document id is invalid or used twice, too many documents are blank, or there are none.
    """
    seen: set[str] = set()
    blanks = 0
    for place, document in documents:
        checked_id(document.doc_id, "doc_id", place)
        blanks += is_blank(document.title) and is_blank(document.text)
        if blanks and not blank:
            found = f"document {quoted(document.doc_id)} with both blank"
            raise place.fault(expected="a title or a text", found=found, mend="add a text or remove the document")
        if document.doc_id in seen:
            found = f"{quoted(document.doc_id)} a second time"
            raise place.fault(expected="a new doc_id", found=found, mend="remove or rename one of the two")
        seen.add(document.doc_id)
        yield document
    if not seen:
        raise DataError(f"{source} has no documents; expected at least one")
    if blanks > blank * len(seen):
        raise DataError(
            f"{source}: {blanks} of {len(seen)} documents have neither title nor text, expected at most {blank:.0%}; "
            "the download may be incomplete, or its fields may have other names"
        )


def _document(place: Place, record: Mapping[str, Any]) -> Document:
    named = id_key(record, "doc_id")
    for key in (named, "text"):
        if key not in record:
            found, mend = "the keys " + quoted(", ".join(record)), 'write {"doc_id": ..., "title": ..., "text": ...}'
            either = f"'{key}' or '_id'" if key == "doc_id" else f"'{key}'"
            raise place.fault(expected=f"the key {either}", found=found, mend=mend)
    title = "" if record.get("title") is None else record["title"]
    doc_id = checked_id(record[named], named, place)
    return Document(doc_id, checked_text(title, "title", place), checked_text(record["text"], "text", place))


def pooled_ids(all_ids: Iterable[str], judged: set[str], extra: int, seed: int) -> set[str]:
    """Return the ids of every judged document of a collection and of `extra` others (all, if there are fewer).

    The others are those with the smallest SHA-256 of `seed:doc_id`. They depend neither on the platform nor on the
    order of the collection, and a larger pool contains the smaller one.
    """

    def order(doc_id: str) -> tuple[bool, bytes]:
        return doc_id not in judged, hashlib.sha256(f"{seed}:{doc_id}".encode()).digest()

    first = heapq.nsmallest(len(judged) + extra, all_ids, key=order)
    return set(first[: len(judged.intersection(first)) + extra])
