"""Relevance judgements: their checks, and TREC qrels files."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from optical_cli.data.text_files import Place, read_lines
from optical_cli.errors import DataError, quoted

_GRADE = re.compile(r"[+-]?[0-9]{1,9}")  # int() alone would take 1_0, digits of other scripts and any length


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """The grades of a file of lines `query_id 0 doc_id grade`, by query and document."""
    return checked_judgements(str(path), _columns(path))


def checked_judgements(source: str, judgements: Iterable[tuple[Place, str, str, int]]) -> dict[str, dict[str, int]]:
    """Grades by query id and document id; a repeated line counts once.

    Raises:
        DataError: a document has two grades for one query, or there is no judgement at all.
    """
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


def _columns(path: Path) -> Iterator[tuple[Place, str, str, int]]:
    for place, line in read_lines(path):
        columns = line.split()
        if len(columns) != 4:
            found = f"{len(columns)} in {quoted(line)}"
            mend = "rewrite it as a TREC qrels file, without a header"
            raise place.fault(expected="four columns, query_id 0 doc_id grade", found=found, mend=mend)
        query_id, _, doc_id, grade = columns
        if not _GRADE.fullmatch(grade):
            mend = "grades are integers such as 0, 1, 2"
            raise place.fault(expected="an integer grade", found=quoted(grade), mend=mend)
        yield place, query_id, doc_id, int(grade)
