"""Ids of documents and topics: they must survive a TREC run file, whose columns are parted by white space."""

from optical_cli.data.places import Place, quoted


def checked_id(value: object, kind: str, place: Place) -> str:
    """The id itself, if it is text without white space.

    Raises:
        DataError: it is not text, empty, or holds white space.
    """
    if isinstance(value, str) and value and value.split() == [value]:
        return value
    mend = "run files part their columns by white space, so rename it"
    raise place.fault(expected=f"a {kind} that is text without white space", found=quoted(value), mend=mend)
