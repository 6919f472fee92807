"""The two sides of a record that has named columns."""

from collections.abc import Mapping
from typing import Any

from optical_cli.data.bitext.rows import Row
from optical_cli.data.locations import listed
from optical_cli.data.places import Place
from optical_cli.errors import quoted

TRANSLATION = "translation"
"""The column under which the datasets library keeps a sentence by language."""


def row_of(record: object, columns: tuple[str, str], place: Place) -> Row:
    """The row that a record holds: under the names of its columns, or under those inside `translation`.

    Raises:
        DataError: it is no record, lacks a column, or has something in it that is neither text nor null.
    """
    if not isinstance(record, Mapping):
        mend = 'one JSON object a line, such as {"en": ..., "yo": ...}'
        raise place.fault(expected="a record with named columns", found=quoted(record), mend=mend)
    inner = record.get(TRANSLATION)
    if isinstance(inner, Mapping) and not all(column in record for column in columns):
        record = inner
    teacher, foreign = (_text(record, column, place) for column in columns)
    return Row(place, teacher, foreign)


def _text(record: Mapping[str, Any], column: str, place: Place) -> str:
    if column not in record:
        mend = "name the column of the teacher's sentences and that of their translations with `columns`"
        found = listed([str(name) for name in record])
        raise place.fault(expected=f"a column {quoted(column)}", found=found, mend=mend)
    value = record[column]
    if not isinstance(value, str | None):
        raise place.fault(expected=f"text in {quoted(column)}", found=quoted(value), mend="name another column")
    return (value or "").strip()
