"""Documents: the record, what makes one sound, and JSON Lines files of them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from optical_cli.data.identifiers import checked_id
from optical_cli.data.json_record import json_object
from optical_cli.data.lines import read_lines
from optical_cli.data.places import Place
from optical_cli.errors import DataError, quoted


@dataclass(frozen=True)
class Document:
    """A document of a collection; `title` is empty where it has none."""

    doc_id: str
    title: str
    text: str


def fill(template: str, document: Document) -> str:
    """What of a document is encoded; braces inside its own text stay as they are."""
    parts = {"{title}": document.title, "{text}": document.text}
    return re.sub(r"\{title\}|\{text\}", lambda field: parts[field[0]], template).strip()


def read_documents(path: Path) -> Iterator[Document]:
    """Stream a JSON Lines file: `doc_id`, `text` and an optional `title`; other keys are ignored."""
    return checked_documents(str(path), ((place, _parse(place, line)) for place, line in read_lines(path)))


def checked_documents(
    source: str, documents: Iterable[tuple[Place, Document]], blank: float = 0.0
) -> Iterator[Document]:
    """Pass documents on one by one.

    Args:
        source: for messages.
        documents: each with its place.
        blank: the share of them that may have neither title nor text.

    Raises:
        DataError: an id is used twice or is no id, more documents are blank than may be, or there is none at all.
    """
    seen: set[str] = set()
    blanks = 0
    for place, document in documents:
        checked_id(document.doc_id, "doc_id", place)
        blanks += _is_blank(document)
        if blanks and not blank:
            found = f"document {quoted(document.doc_id)} with both blank"
            raise place.fault(expected="a title or a text", found=found, mend="give it a text or remove it")
        if document.doc_id in seen:
            found = f"{quoted(document.doc_id)} a second time"
            raise place.fault(expected="a new doc_id", found=found, mend="remove or rename one of the two")
        seen.add(document.doc_id)
        yield document
    if not seen:
        raise DataError(f"{source} holds no document; expected at least one")
    if blanks > blank * len(seen):
        raise DataError(
            f"{source}: {blanks} of {len(seen)} documents have neither title nor text, and at most {blank:.0%} are "
            "expected to; what was downloaded is not whole, or its fields have other names"
        )


def _is_blank(document: Document) -> bool:
    return not document.title.strip() and not document.text.strip()


def _parse(place: Place, line: str) -> Document:
    record = json_object(place, line)
    for key in ("doc_id", "text"):
        if key not in record:
            raise place.fault(
                expected=f"the key '{key}'",
                found="the keys " + quoted(", ".join(record)),
                mend='write {"doc_id": ..., "title": ..., "text": ...}',
            )
    title = record.get("title")
    return Document(
        doc_id=checked_id(record["doc_id"], "doc_id", place),
        title="" if title is None else _text(title, "title", place),
        text=_text(record["text"], "text", place),
    )


def _text(value: object, key: str, place: Place) -> str:
    if not isinstance(value, str):
        raise place.fault(expected=f"text as '{key}'", found=quoted(value), mend="put it in quotation marks")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:  # JSON may escape half a surrogate pair, which is no character
        found = f"half a surrogate pair at position {error.start + 1}"
        raise place.fault(expected=f"characters in '{key}'", found=found, mend="remove or complete it") from error
    return value
