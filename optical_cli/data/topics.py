"""Topics: TSV files of them, and how they meet the judgements."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from optical_cli.data.identifiers import checked_id
from optical_cli.data.lines import read_lines
from optical_cli.data.places import Place
from optical_cli.errors import DataError, quoted


def read_topics(path: Path) -> dict[str, str]:
    """The topics of a file of lines `query_id TAB text`, in the order of the file."""
    return checked_topics(str(path), _columns(path))


def checked_topics(source: str, topics: Iterable[tuple[Place, str, str]]) -> dict[str, str]:
    """Topics by query id, with their texts stripped.

    Raises:
        DataError: an id is used twice or is no id, a text is blank, or there is no topic at all.
    """
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


def match_topics(
    topics: Mapping[str, str], judgements: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Topics with judgements, ids of topics without, and judged query ids that have no topic."""
    judged = {query_id: text for query_id, text in topics.items() if query_id in judgements}
    unjudged = [query_id for query_id in topics if query_id not in judgements]
    missing = [query_id for query_id in judgements if query_id not in topics]
    return judged, unjudged, missing


def _columns(path: Path) -> Iterator[tuple[Place, str, str]]:
    for place, line in read_lines(path):
        columns = line.split("\t")
        if len(columns) != 2:
            raise place.fault(
                expected="two columns, query_id TAB text",
                found=f"{len(columns)} in {quoted(line)}",
                mend="part the id from the text by one tab and leave no tab in the text",
            )
        yield place, columns[0], columns[1]
