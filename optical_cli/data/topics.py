"""Topics and their judgements: the checks, TSV files of topics and TREC qrels, and topics that have several fields."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from optical_cli.data.paths import listed
from optical_cli.data.text_files import Place, checked_id, columns_of, read_lines
from optical_cli.errors import DataError, quoted

_FIELD = re.compile(r"\{(\w+)\}")
_OF_ONE_LANGUAGE = re.compile(r"(?:ht|mt)_\w+")
_OF_A_NAMED_LANGUAGE = re.compile(r"([a-z]{2})_(?:ht|mt)_\w+")
_USUAL = ("text", "title")
_GRADE = re.compile(r"[+-]?[0-9]{1,9}")  # int() alone would take 1_0, digits of other scripts and any length


def read_topics(path: Path) -> dict[str, str]:
    """The topics of a file of lines `query_id TAB text`, in the order of the file."""
    return checked_topics(str(path), _texts(path))


def checked_topics(source: str, topics: Iterable[tuple[Place, str, str]]) -> dict[str, str]:
    """Topic texts by query id, stripped; DataError at an id that is none or used twice, a blank text, or no topic."""
    texts: dict[str, str] = {}
    places: dict[str, Place] = {}
    for place, query_id, text in topics:
        checked_id(query_id, "query_id", place)
        if query_id in texts:
            found = f"{quoted(query_id)} again after {places[query_id].unit} {places[query_id].number}"
            raise place.fault(expected="a new query_id", found=found, mend="remove or rename one of the two")
        if not text.strip():
            found = f"topic {quoted(query_id)} with a blank text"
            raise place.fault(expected="a topic text", found=found, mend="give it a text or remove it")
        texts[query_id], places[query_id] = text.strip(), place
    if not texts:
        raise DataError(f"{source} holds no topic; expected at least one")
    return texts


def _texts(path: Path) -> Iterator[tuple[Place, str, str]]:
    mend = "part the id from the text by one tab and leave no tab in the text"
    for place, line in read_lines(path):
        query_id, text = columns_of(place, line, 2, "query_id TAB text", mend)
        yield place, query_id, text


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """The grades of a file of lines `query_id 0 doc_id grade`, by query and document."""
    return checked_judgements(str(path), _grades(path))


def checked_judgements(source: str, judgements: Iterable[tuple[Place, str, str, int]]) -> dict[str, dict[str, int]]:
    """Grades by query and document id, repeated lines once; DataError at two for one document, or none at all."""
    grades: dict[str, dict[str, int]] = {}
    for place, query_id, doc_id, grade in judgements:
        known = grades.setdefault(query_id, {}).setdefault(doc_id, grade)
        if known != grade:
            expected = f"one grade for document {quoted(doc_id)} and query {quoted(query_id)}"
            found = f"{grade} after an earlier {known}"
            raise place.fault(expected=expected, found=found, mend="remove one of the two")
    if not grades:
        raise DataError(f"{source} holds no judgement; expected at least one line: query_id 0 doc_id grade")
    return grades


def _grades(path: Path) -> Iterator[tuple[Place, str, str, int]]:
    mend = "rewrite it as a TREC qrels file, without a header"
    for place, line in read_lines(path):
        query_id, _, doc_id, grade = columns_of(place, line, 4, "query_id 0 doc_id grade", mend, separator=None)
        if not _GRADE.fullmatch(grade):
            raise place.fault(expected="an integer grade", found=quoted(grade), mend="grades are such as 0, 1, 2")
        yield place, query_id, doc_id, int(grade)


def match_topics(
    topics: Mapping[str, str], judgements: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Topics with judgements, ids of topics without, and judged query ids that have no topic."""
    judged = {query_id: text for query_id, text in topics.items() if query_id in judgements}
    unjudged = [query_id for query_id in topics if query_id not in judgements]
    missing = [query_id for query_id in judgements if query_id not in topics]
    return judged, unjudged, missing


def fields_of(template: str) -> list[str]:
    """The fields of a template such as `{title} {description}`."""
    return _FIELD.findall(template)


def topic_text(topic: Any, template: str | None) -> str:
    """The text of a topic with fields: the template filled, or `text`, else `title`, else `default_text()`."""
    if template is not None:
        return _FIELD.sub(lambda field: str(getattr(topic, field[1])), template)
    text = next((text for text in (getattr(topic, field, None) for field in _USUAL) if text), None)
    return text if isinstance(text, str) else str(topic.default_text())


def check_topic_fields(name: str, topic: Any, template: str | None, language: str) -> None:
    """Raise DataError if the class of a dataset's topics lacks a field, or it is in another language than the pair's.

    ir_datasets has the original beside human (`ht_`) and machine (`mt_`) translations and does not say their language;
    the id does, or the field: `neuclir/1/fa/...`, `fa_mt_title`. The original is English.
    """
    held = [field for field in getattr(topic, "_fields", ()) if field != "query_id"]
    asked = fields_of(template) if template is not None else [field for field in _USUAL if field in held][:1]
    for field in asked:
        if field not in held:
            raise DataError(f"{name}: topics have no field {field!r}, but {listed(held)}; mend pairs.*.topic_text")
    spoken = {field: _language_of(name, field, held) for field in held}
    wrong = [field for field in asked if spoken[field] not in (None, language)]
    if wrong:
        fitting = [f"{{{field}}}" for field in held if spoken[field] == language and field.endswith("_title")]
        mend = f"set pairs.*.topic_text to {' or '.join(fitting)}" if fitting else "name the pair by its languages"
        raise DataError(f"{name}: the {wrong[0]} of its topics is in {spoken[wrong[0]]!r}, not in {language!r}; {mend}")


def _language_of(name: str, field: str, held: list[str]) -> str | None:
    """The language of a field of translated topics; None for other topics, and for fields without text."""
    if named := _OF_A_NAMED_LANGUAGE.fullmatch(field):
        return named[1]
    if _OF_ONE_LANGUAGE.fullmatch(field):
        return next((part for part in name.split("/") if re.fullmatch(r"[a-z]{2}", part)), None)
    translated = any(_OF_ONE_LANGUAGE.fullmatch(other) or _OF_A_NAMED_LANGUAGE.fullmatch(other) for other in held)
    return "en" if translated and field in ("title", "description", "narrative") else None
