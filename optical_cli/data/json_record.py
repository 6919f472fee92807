"""A line of JSON that somebody else has written."""

import json
from typing import Any

from optical_cli.data.places import Place
from optical_cli.errors import one_line, quoted


def json_object(place: Place, line: str) -> dict[str, Any]:
    """The object that a line holds.

    Raises:
        DataError: it is no JSON, or no object.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists in lists in lists
        raise place.fault(expected="a JSON object", found=quoted(line), mend=f"mend it ({one_line(error)})") from error
    if not isinstance(record, dict):
        raise place.fault(expected="a JSON object", found=quoted(line), mend="write one object on each line")
    return record
