"""Topics and judgements: reading TSV, TREC qrels and BEIR files, checking them, and choosing fields of topics."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from optical_cli.data.parquet import is_parquet, read_records
from optical_cli.data.paths import listed
from optical_cli.data.text_files import (
    Place,
    checked_id,
    checked_text,
    columns_of,
    id_key,
    is_blank,
    json_object,
    read_lines,
)
from optical_cli.errors import DataError, quoted

_FIELD = re.compile(r"\{(\w+)\}")
_TRANSLATED_FIELD = re.compile(r"(?:ht|mt)_\w+")
_TRANSLATED_FIELD_WITH_CODE = re.compile(r"([a-z]{2})_(?:ht|mt)_\w+")
_DEFAULT_FIELDS = ("text", "title")
BEIR = ("query-id", "corpus-id", "score")
"""Header of a file of judgements of BEIR."""
_WHOLE = re.compile(r"\.0+$")  # pandas writes whole grades like this
_GRADE = re.compile(r"[+-]?[0-9]{1,9}")  # int() alone would take 1_0, digits of other scripts and any length


def read_topics(path: Path) -> dict[str, str]:
    """Return the texts of a file of topics by query id, in the order of the file.

    Its lines are `query_id TAB text`, or, if its name ends in .jsonl as that of BEIR, objects with `_id` and `text`. A
    name that ends in .parquet is that of a file with the same columns.
    """
    if is_parquet(path):
        return checked_topics(str(path), map(_topic, read_records(path, ("query_id", "_id", "id", "text"))))
    if path.name.removesuffix(".gz").removesuffix(".zst").endswith(".jsonl"):
        return checked_topics(
            str(path), (_topic((place, json_object(place, line))) for place, line in read_lines(path))
        )
    return checked_topics(str(path), _texts(path))


def checked_topics(source: str, topics: Iterable[tuple[Place, str, str]]) -> dict[str, str]:
    """Return the stripped topic texts by query id.

    Raises:
        DataError: a query id is invalid or used twice, a text is blank, or there are no topics.
    """
    texts: dict[str, str] = {}
    places: dict[str, Place] = {}
    for place, query_id, text in topics:
        checked_id(query_id, "query_id", place)
        if query_id in texts:
            found = f"{quoted(query_id)} again after {places[query_id].unit} {places[query_id].number}"
            raise place.fault(expected="a new query_id", found=found, mend="remove or rename one of the two")
        if is_blank(text):
            found = f"topic {quoted(query_id)} with a blank text"
            raise place.fault(expected="a topic text", found=found, mend="add a text or remove the topic")
        texts[query_id], places[query_id] = text.strip(), place
    if not texts:
        raise DataError(f"{source} has no topics; expected at least one")
    return texts


def _texts(path: Path) -> Iterator[tuple[Place, str, str]]:
    mend = "separate the id from the text by one tab, and remove tabs from the text"
    for place, line in read_lines(path):
        query_id, text = columns_of(place, line, 2, "query_id TAB text", mend)
        yield place, query_id, text


def _topic(placed: tuple[Place, Mapping[str, Any]]) -> tuple[Place, str, str]:
    place, record = placed
    named = id_key(record, "query_id")
    for key in (named, "text"):
        if key not in record:
            found, mend = "the keys " + quoted(", ".join(record)), 'write {"_id": ..., "text": ...}'
            either = f"'{key}' or '_id'" if key == "query_id" else f"'{key}'"
            raise place.fault(expected=f"the key {either}", found=found, mend=mend)
    return place, checked_id(record[named], named, place), checked_text(record["text"], "text", place)


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Return the grades of a file of judgements by query id and document id.

    Its lines are `query_id 0 doc_id grade`, or `query-id TAB corpus-id TAB score` behind a header of these words, as
    BEIR has them.
    """
    if is_parquet(path):
        return checked_judgements(str(path), (judgement(place, record) for place, record in read_records(path, BEIR)))
    return checked_judgements(str(path), _grades(path))


def judgement(place: Place, record: Mapping[str, Any]) -> tuple[Place, str, str, int]:
    """Return the judgement of a record with the columns of BEIR.

    Raises:
        DataError: a column is missing, an id is none, or the score is no integer.
    """
    if not set(BEIR) <= record.keys():
        found = f"the columns {listed([str(name) for name in record])}"
        raise place.fault(expected=f"the columns {', '.join(BEIR)}", found=found, mend="name another file or dataset")
    query, document, score = BEIR
    grade = record[score]
    if not isinstance(grade, int | float) or not math.isfinite(grade) or grade != int(grade):
        raise place.fault(expected="an integer score", found=quoted(grade), mend="name another file or dataset")
    return place, id_of(record, query, place), id_of(record, document, place), int(grade)


def id_of(record: Mapping[str, Any], column: str, place: Place) -> str:
    """Return an id as text, as datasets have numbers for ids too; DataError for any other value."""
    value = record[column]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else checked_id(value, column, place)


def checked_judgements(source: str, judgements: Iterable[tuple[Place, str, str, int]]) -> dict[str, dict[str, int]]:
    """Return the grades by query id and document id; repeated judgements count once.

    Raises:
        DataError: a document has two grades for one topic, or there are no judgements.
    """
    grades: dict[str, dict[str, int]] = {}
    for place, query_id, doc_id, grade in judgements:
        known = grades.setdefault(query_id, {}).setdefault(doc_id, grade)
        if known != grade:
            expected = f"one grade for document {quoted(doc_id)} and query {quoted(query_id)}"
            found = f"{grade} after an earlier {known}"
            raise place.fault(expected=expected, found=found, mend="remove one of the two")
    if not grades:
        raise DataError(f"{source} has no judgements; expected at least one line: query_id 0 doc_id grade")
    return grades


def _grades(path: Path) -> Iterator[tuple[Place, str, str, int]]:
    mend = f"rewrite it as a TREC qrels file, without a header, or begin it with the header {' TAB '.join(BEIR)}"
    beir = False
    for place, line in read_lines(path):
        if place.number == 1 and tuple(line.lower().split()) == BEIR:
            beir = True
            continue
        if beir:
            wrong = "write the three columns of the header, with a tab between them"
            query_id, doc_id, grade = columns_of(place, line, 3, " TAB ".join(BEIR), wrong)
            checked_id(query_id, BEIR[0], place)
            checked_id(doc_id, BEIR[1], place)
            grade = _WHOLE.sub("", grade)
        else:
            query_id, _, doc_id, grade = columns_of(place, line, 4, "query_id 0 doc_id grade", mend, separator=None)
        if not _GRADE.fullmatch(grade):
            raise place.fault(expected="an integer grade", found=quoted(grade), mend="write a number such as 0, 1 or 2")
        yield place, query_id, doc_id, int(grade)


def match_topics(
    topics: Mapping[str, str], judgements: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the topics with judgements, the ids of topics without, and the judged query ids without a topic."""
    judged = {query_id: text for query_id, text in topics.items() if query_id in judgements}
    unjudged = [query_id for query_id in topics if query_id not in judgements]
    missing = [query_id for query_id in judgements if query_id not in topics]
    return judged, unjudged, missing


def fields_of(template: str) -> list[str]:
    """Return the field names of a template such as `{title} {description}`."""
    return _FIELD.findall(template)


def topic_text(topic: Any, template: str | None) -> str:
    """Return the text of a topic with fields: the filled template, or else `text`, `title` or `default_text()`."""
    if template is not None:
        return _FIELD.sub(lambda field: str(getattr(topic, field[1])), template)
    text = next((text for text in (getattr(topic, field, None) for field in _DEFAULT_FIELDS) if text), None)
    return text if isinstance(text, str) else str(topic.default_text())


def check_topic_fields(name: str, topic: Any, template: str | None, language: str) -> None:
    """Raise DataError if the topics of a dataset lack a field of the template, or it is in another language.

    HC4 and NeuCLIR have English topics beside human (`ht_`) and machine (`mt_`) translations. ir_datasets does not give
    the language of a translation; it is part of the dataset's id or of the field: `neuclir/1/fa/...`, `fa_mt_title`.
    """
    known = [field for field in getattr(topic, "_fields", ()) if field != "query_id"]
    wanted = fields_of(template) if template is not None else [field for field in _DEFAULT_FIELDS if field in known][:1]
    for field in wanted:
        if field not in known:
            raise DataError(f"{name}: topics have no field {field!r}, only {listed(known)}; change pairs.*.topic_text")
    languages = {field: _language_of(name, field, known) for field in known}
    wrong = [field for field in wanted if languages[field] not in (None, language)]
    if wrong:
        fitting = [f"{{{field}}}" for field in known if languages[field] == language and field.endswith("_title")]
        mend = f"set pairs.*.topic_text to {' or '.join(fitting)}" if fitting else "correct the languages of the pair"
        found = f"the {wrong[0]} of its topics is in {languages[wrong[0]]!r}, not in {language!r}"
        raise DataError(f"{name}: {found}; {mend}")


def _language_of(name: str, field: str, fields: list[str]) -> str | None:
    """Return the language of a field of translated topics; None for other topics, and for fields without text."""
    if named := _TRANSLATED_FIELD_WITH_CODE.fullmatch(field):
        return named[1]
    if _TRANSLATED_FIELD.fullmatch(field):
        return next((part for part in name.split("/") if re.fullmatch(r"[a-z]{2}", part)), None)
    translated = any(
        _TRANSLATED_FIELD.fullmatch(other) or _TRANSLATED_FIELD_WITH_CODE.fullmatch(other) for other in fields
    )
    return "en" if translated and field in ("title", "description", "narrative") else None
