"""TREC run files: one result on each line, `query_id Q0 doc_id rank score tag`.

Results are sorted by written score and, for ties, by document id, both descending. That is the order of trec_eval,
which ignores the rank column: `comp_sim_docno` in its form_res_rels.c compares `sim`, then
`strcmp(p2->docno, p1->docno)` (https://github.com/usnistgov/trec_eval). Code points have the same order as UTF-8 bytes,
so comparing Python strings is equivalent.

trec_eval stored scores in single precision until 2022 (https://github.com/usnistgov/trec_eval/pull/38). pytrec_eval and
ir_measures still do, so that 25.000001 and 25.000002 are a tie for them. Scores are therefore rounded to single
precision before they are rounded to 6 decimals: all tools see the same ties.
"""

import math
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from optical_cli.data.text_files import lines_of, unpacked
from optical_cli.errors import DataError, quoted

Ranking = list[tuple[str, float]]  # (doc_id, score), best first

FIELDS = 6
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff]")
"""Control characters that are not white space, and the byte order mark."""
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a surrogate pair, which no file can hold: JSON may have one, and bytes of a command line that are not UTF-8."""
TIE = 2e-6
"""Scores that differ by more than this are not a tie in a run file, which has 6 decimals."""


def in_order(pairs: Iterable[tuple[str, float]]) -> Ranking:
    """Sort (doc_id, score) pairs in trec_eval's order: by score, then by document id, both descending."""
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]), reverse=True)


def rank(pairs: Iterable[tuple[str, float]], depth: int | None = None) -> Ranking:
    """Round (doc_id, score) pairs to the precision of a run file, sort them, and keep the best `depth` (None: all).

    A caller that shortens the list before must keep every document whose score is within `TIE` of the last one.

    Raises:
        DataError: a score is not a finite number.
    """
    return in_order((doc_id, _rounded(doc_id, score)) for doc_id, score in pairs)[:depth]


def write_run(path: Path, ranking: Iterable[tuple[str, Sequence[tuple[str, float]]]], tag: str) -> None:
    """Write (query_id, [(doc_id, score), ...]) as a run file, each topic in the order of `rank`.

    Raises:
        DataError: an id or the tag is empty or holds white space, a score is not finite, a topic comes twice, or a
            document comes twice for a topic. The file is then incomplete.
    """
    _check_id(tag, "run tag", "the run file")
    seen: set[str] = set()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for query_id, pairs in ranking:
            _check_id(query_id, "topic id", "the run file")
            if query_id in seen:
                raise DataError(f"topic {query_id!r}: expected once in a run, found twice; merge its results")
            seen.add(query_id)
            file.writelines(_lines(query_id, pairs, tag))


def replace_run(path: Path, ranking: Iterable[tuple[str, Sequence[tuple[str, float]]]], tag: str) -> None:
    """Write a run file atomically; DataError if it cannot be written, or for the reasons that `write_run` has."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        write_run(temporary, ranking, tag)
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: the run file cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_run(path: Path) -> dict[str, Ranking]:
    """Read a run file: topics in the order of the file, and the results of each topic in trec_eval's order.

    Raises:
        DataError: the file cannot be read, or a line is malformed.
    """
    run: dict[str, dict[str, float]] = {}
    with _lines_of(path) as lines:
        for where, line in lines:
            query_id, doc_id, score = _parse(line, where)
            results = run.setdefault(query_id, {})
            if doc_id in results:
                raise DataError(
                    f"{where}: expected document {quoted(doc_id)} once for topic {quoted(query_id)}, found it twice; "
                    "remove one of the lines"
                )
            results[doc_id] = score
    return {query_id: in_order(results.items()) for query_id, results in run.items()}


def check_tag(tag: str) -> None:
    """Raise DataError if a tag cannot stand in a run file."""
    _check_id(tag, "run tag", "the run file")


def read_tag(path: Path) -> str:
    """Return the run tag of a file's first line; DataError if the file is empty or not a run."""
    with _lines_of(path) as lines:
        where, first = next(lines, (f"{path}:1", ""))
    _parse(first, where)
    return first.split()[-1]


def read_tags(path: Path) -> list[str]:
    """Return the distinct tags of a valid run file, in the order of the file."""
    with _lines_of(path) as lines:
        return list(dict.fromkeys(line.split()[-1] for _, line in lines))


@contextmanager
def _lines_of(path: Path) -> Iterator[Iterator[tuple[str, str]]]:
    """Open a file, packed or plain, as a stream of its lines that are not blank, each with file name and line number.

    Raises:
        DataError: the file cannot be read.
    """
    with unpacked(path) as file:
        yield _numbered(file, path)


def _numbered(file: IO[bytes], path: Path) -> Iterator[tuple[str, str]]:
    return ((f"{path}:{place.number}", line) for place, line in lines_of(file, str(path)) if line.strip())


def _lines(query_id: str, pairs: Sequence[tuple[str, float]], tag: str) -> Iterable[str]:
    seen: set[str] = set()
    for position, (doc_id, score) in enumerate(rank(pairs), start=1):
        _check_id(doc_id, "document id", f"topic {query_id!r}")
        if doc_id in seen:
            raise DataError(
                f"topic {query_id!r}: expected document {doc_id!r} once, found it twice; "
                "remove the duplicate from the collection or the candidates"
            )
        seen.add(doc_id)
        yield f"{query_id} Q0 {doc_id} {position} {score:.6f} {tag}\n"


def _parse(line: str, where: str) -> tuple[str, str, float]:
    fields = line.split()
    if len(fields) != FIELDS:
        raise DataError(
            f"{where}: expected {FIELDS} fields (query_id Q0 doc_id rank score tag), "
            f"found {len(fields)}: {quoted(line.strip())}; correct or remove the line"
        )
    if _CONTROL.search(line):
        raise DataError(f"{where}: expected ids and a tag without control characters, found {quoted(line.strip())}")
    try:
        # float() also accepts 1_0, and digits of other scripts
        score = float(fields[4]) if fields[4].isascii() and "_" not in fields[4] else math.nan
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise DataError(f"{where}: expected a finite score in field 5, found {quoted(fields[4])}; correct the line")
    return fields[0], fields[2], score


def _rounded(doc_id: str, score: float) -> float:
    try:
        single = struct.unpack("f", struct.pack("f", score))[0]
    except OverflowError:  # beyond single precision
        single = math.inf
    if not math.isfinite(single):
        raise DataError(
            f"document {doc_id!r}: expected a finite score, found {score}; the embeddings of the topic or of "
            "the document are damaged: remove the index from the cache, and run the command again"
        )
    return float(f"{single:.6f}") + 0.0  # + 0.0 makes -0.0 positive


def _check_id(text: str, what: str, where: str) -> None:
    if not text or text.split() != [text] or _SURROGATE.search(text):
        raise DataError(
            f"{where}: expected a {what} without white space, found {text!r}; "
            "rename it: fields of run files are separated by white space"
        )
