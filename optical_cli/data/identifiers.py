"""Ids of documents and topics: they must survive a TREC run file, whose columns are parted by white space."""

import re

from optical_cli.data.places import Place
from optical_cli.errors import quoted

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufeff]")
"""Control characters, which steer the terminal of whoever looks at a run file, and the byte order mark."""


def checked_id(value: object, kind: str, place: Place) -> str:
    """The id itself, if it is text without white space and control characters.

    Raises:
        DataError: it is not text, empty, or holds white space or a control character.
    """
    if isinstance(value, str) and value and value.split() == [value] and not _CONTROL.search(value):
        return value
    mend = "run files part their columns by white space, so rename it"
    raise place.fault(expected=f"a {kind} that is text without white space", found=quoted(value), mend=mend)
