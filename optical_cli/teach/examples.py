"""Training examples of a teacher: queries, each with a passage that answers it and passages that do not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from optical_cli.data.text_files import Place, checked_text, is_blank, json_object, looks_like_header, read_lines
from optical_cli.errors import DataError, quoted

FIELDS = ("query", "positive", "negatives")
MEND = "correct or remove the line"


@dataclass(frozen=True)
class Example:
    """A query with its passages, and the line it was read from; None if it is not from a file."""

    query: str
    positive: str
    negatives: tuple[str, ...] = ()
    place: Place | None = None


def read_examples(path: Path) -> list[Example]:
    """Read examples from JSONL or TSV, gzipped or not.

    A line is `{"query": …, "positive": …, "negatives": […]}` or query TAB positive TAB negative…. Negatives may be
    missing. A file that begins with `{` is JSONL.

    Raises:
        DataError: the file cannot be read, or a line is faulty; the error names the first one.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; a JSONL or TSV file of queries and passages expected")
    examples = list(_examples(path))
    if not examples:
        raise DataError(f"{path} is empty; a query, a positive and negatives expected on each line")
    return examples


def with_negatives(examples: Sequence[Example], wanted: int | None) -> tuple[list[Example], int]:
    """Cut all examples to the same number of negatives.

    Args:
        examples: at least one.
        wanted: number of negatives of each example; None for as many as every example has.

    Returns:
        the examples, and the number of negatives left out.

    Raises:
        DataError: an example has fewer negatives than wanted.
    """
    number = min(len(example.negatives) for example in examples) if wanted is None else wanted
    for example in examples:
        if len(example.negatives) < number:
            raise DataError(
                f"{example.place or quoted(example.query)}: {number} negatives expected (--negatives), "
                f"found {len(example.negatives)}; add negatives, or lower --negatives"
            )
    left_out = sum(len(example.negatives) - number for example in examples)
    kept = [replace(example, negatives=example.negatives[:number]) for example in examples]
    return kept, left_out


def _examples(path: Path) -> Iterator[Example]:
    as_json: bool | None = None
    for place, line in read_lines(path):
        if as_json is None:
            as_json = line.lstrip().startswith("{")
        if not as_json and place.number == 1 and looks_like_header(line.split("\t")):
            raise place.fault(expected="an example", found=f"the header {quoted(line)}", mend="remove the line")
        texts = _of_json(place, line) if as_json else _of_tsv(place, line)
        if len(set(texts[1:])) < len(texts) - 1:
            raise place.fault(expected="different passages", found=f"duplicates in {quoted(line)}", mend=MEND)
        yield Example(texts[0], texts[1], tuple(texts[2:]), place)


def _of_json(place: Place, line: str) -> list[str]:
    found = json_object(place, line)
    if set(found) - set(FIELDS) or not {"query", "positive"} <= set(found):
        keys = quoted(", ".join(found))
        raise place.fault(expected="query, positive and, optionally, negatives", found=keys, mend=MEND)
    negatives = found.get("negatives", [])
    if not isinstance(negatives, list):
        raise place.fault(expected="a list of negatives", found=quoted(negatives), mend=MEND)
    fields = [("query", found["query"]), ("positive", found["positive"]), *(("negatives", text) for text in negatives)]
    return [_text(place, value, field) for field, value in fields]


def _of_tsv(place: Place, line: str) -> list[str]:
    columns = line.split("\t")
    if len(columns) < 2:
        raise place.fault(expected="query TAB positive TAB negative…", found=quoted(line), mend=MEND)
    return [_text(place, column, "a column") for column in columns]


def _text(place: Place, value: object, field: str) -> str:
    if not isinstance(value, str) or is_blank(value):
        raise place.fault(expected="a text", found=quoted(value), mend=MEND)
    return checked_text(value, field, place).strip()
