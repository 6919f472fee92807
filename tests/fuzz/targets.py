"""The parsers to fuzz: all that read files made by others.

A parser may refuse an input by an `OpticalError` with a short message, which must not contain terminal control
characters after `plain`. Any other exception is a fault, and so is a result that changes in a round trip.
"""

import hashlib
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from optical_cli.artifacts.run import read_run, read_tag, write_run
from optical_cli.cache.keys import key_of
from optical_cli.cache.store import Cache
from optical_cli.cli.terminal import plain
from optical_cli.config.reading import read_experiment
from optical_cli.data.bitext.rows import Aligned, JsonLines, MosesZip, RowFiles, Tsv
from optical_cli.data.bitext.tmx import Tmx
from optical_cli.data.documents import read_documents
from optical_cli.data.topics import read_judgements, read_topics
from optical_cli.errors import OpticalError

LONGEST_LINE = 1000
"""Maximum characters in a line of a message."""
MOST_LINES = 200
"""Maximum lines of a message, which has a line for each fault of an experiment file."""
COLUMNS = ("en", "sw")
BESIDE = "beside the cache\n"


@dataclass(frozen=True)
class Target:
    """A parser to fuzz.

    Attributes:
        parse: reads a file with the input.
        seeds: valid inputs first, then inputs that once caused a fault.
        tokens: pieces of the format, for mutations.
    """

    parse: Callable[[Path], object]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()


class MishandledError(AssertionError):
    """A parser handled an input wrongly."""


def attack(name: str, content: bytes) -> bool:
    """Return whether a parser accepts an input.

    Raises:
        MishandledError: the result is wrong, or the message of a refusal is too long or not printable.
    """
    path = _folder() / "input"
    path.write_bytes(content)
    try:
        TARGETS[name].parse(path)
    except OpticalError as error:
        _check_message(str(error))
        return False
    return True


def _check_message(message: str) -> None:
    lines = message.split("\n")
    if not message.strip() or len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
        raise MishandledError(f"a message of {len(lines)} lines and {len(message)} characters: {message[:200]!r}")
    if not all(char.isprintable() or char == "\n" for char in plain(message)):
        raise MishandledError(f"a message with terminal control characters: {message[:200]!r}")


@cache
def _folder() -> Path:
    """Make a folder for this process, in memory if the system allows it."""
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a random name
    return Path(tempfile.mkdtemp(prefix="optical-fuzz-", dir=shared if os.access(shared, os.W_OK) else None))


def _read_run(path: Path) -> None:
    run = read_run(path)
    if not run:
        return
    read_tag(path)
    again = path.with_name("again.trec")
    try:
        write_run(again, run.items(), "tag")
    except OpticalError:  # scores beyond single precision, which our runs do not allow
        return
    for query_id, ranking in read_run(again).items():
        if sorted(doc_id for doc_id, _ in ranking) != sorted(doc_id for doc_id, _ in run[query_id]):
            raise MishandledError(f"topic {query_id!r} has other documents after a round trip")


def _read_manifest(path: Path) -> None:
    root = path.parent / "cache"
    key = key_of({"stage": "evaluate"})
    folder = root / "scores" / f"sw-sw-{key.short}"
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.parent / "beside"
    beside.write_text(BESIDE)
    (folder / "scores.json").write_text("{}")
    (folder / "manifest.json").write_bytes(path.read_bytes())
    cache = Cache(root)
    try:
        (entry,) = cache.all_entries()
        for fault in entry.faults():
            _check_message(fault)
        cache.find("scores", key)
        cache.remove(entry)
        if folder.exists():
            raise MishandledError("an artifact that cannot be removed")
    finally:
        if beside.read_text() != BESIDE:
            raise MishandledError("a file outside the cache was written")


def _rows(reader: type[RowFiles], files: int = 1) -> Callable[[Path], object]:
    return lambda path: list(reader((path,) * files, COLUMNS).rows())


EXPERIMENT = b"""# an experiment
name: tiny
teacher: {model: ./teacher, language: en}
student: {init: ./student, warm_start: {sentences: 10}, adapters: {rank: 2}}
bitext:
  sw: {source: bitext.tsv, filter: {equal: false}, held_out: 5}
transport: {reg: [0, 0.02, inf], marginals: idf, anneal: {from: 1}}
training: {epochs: 2, watch: 3, early_stopping: {measure: p@1}}
pairs:
  sw-sw: {collection: ./data, corpus: pooled, pool_size: 10, text: "{title} {text}"}
  sw-en: {collection: ./data, topics: a.tsv, qrels: b.trec}
evaluation: {measures: [ndcg@10], reference: [none, 0.02]}
seeds: [13, 14]
baselines: [none, bm25]
"""
RUN = b"q1 Q0 d1 1 2.5 t\nq1 Q0 d2 2 -1e-3 t\nq2 Q0 d1 1 0 t\n"
MANIFEST = json.dumps(
    {
        "format": 1,
        "kind": "scores",
        "label": "sw-sw",
        "key": key_of({"stage": "evaluate"}).digest,
        "material": {"stage": "evaluate"},
        "files": {"scores.json": {"size": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}},
        "health": {"topics": 1},
        "seconds": 0.1,
        "created": "2026-01-01T00:00:00+00:00",
    }
).encode()
TMX = (
    b'<?xml version="1.0"?><tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>a <bpt>b</bpt></seg></tuv>'
    b'<tuv xml:lang="sw-KE"><seg>c &amp; d</seg></tuv></tu></body></tmx>'
)


def _bomb() -> bytes:
    """Make a kilobyte of YAML that expands to 3 GB of values."""
    lines = [b"a: &a [x, x, x, x, x, x, x, x, x]"]
    for name in range(ord("b"), ord("k")):
        aliases = b", ".join([b"*%c" % (name - 1)] * 9)
        lines.append(b"%c: &%c [%s]" % (name, name, aliases))
    return b"\n".join([*lines, b"seeds: *j", b"teacher: {model: *j}\n"])


def _zip(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


# fmt: off
NASTY = (
    b"\0", b"\x1b[2J", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\n", b"\t", b" ", b"nan", b"inf", b"-1",
    b"1e999", b"9" * 4400, b"[" * 2000, b"{" * 100, b"..", b"../../x", b"/etc/passwd", "\u202e".encode(),
    "e\u0301".encode(), "\u00a0".encode(), "\u2028".encode(), "\U0001f600".encode(), b"\xed\xa0\x80", b'"', b"'",
    b"\\ud800", b"%s%n",
)
"""Inputs that often break parsers."""

TARGETS = {
    "experiment": Target(
        read_experiment,
        (
            EXPERIMENT,
            _bomb(),
            b"a: &a [*a]\n",
            b"[" * 200,
            b"".join(b" " * depth + b"a:\n" for depth in range(60)),
            b"name: 2001-99-99\n",
            b"name: !!timestamp x\n",
            b"name: !!int x\n",
            b"name: !!bool x\n",
            b"name: " + b"9" * 4400,
            b"name: a\0b\n",
            b"<<: {name: a}\n? [x]\n: 1\n",
            b"extends: input\n",
            b"name: \xe2\x80\xa8U-99-99\n",
        ),
        (
            b"&a ", b"*a", b"!!binary ", b"!!set ", b"<<: ", b"? ", b"- ", b": ", b"|\n", b">-\n", b"# ", b"---\n",
            b"{", b"]", b"~", b"yes", b"0x1f", b"1_0", b"12:30:45", b"2001-12-14", b"reg", b"seeds", b"extends: ",
        ),
    ),
    "run": Target(
        _read_run,
        (
            RUN,
            b"q Q0 d 1 1_0 t\n",
            b"q Q0 " + b"x" * 3000,
            b"\xef\xbb\xbf" + RUN,
            b"q Q0 d 1 1 t\rq Q0 e 1 1 t",
        ),
        (b" Q0 ", b" 1 ", b"1e-5"),
    ),
    "qrels": Target(
        read_judgements,
        (b"q1 0 d1 1\nq1 0 d2 0\n", b"q 0 d 1_0\n", b"q 0 d " + b"1" * 5000),
        (b" 0 ",),
    ),
    "topics": Target(read_topics, (b"q1\thow\nq2\twho is it\n", b"q1\ta\nq1\tb\n")),
    "documents": Target(
        lambda path: list(read_documents(path)),
        (
            b'{"doc_id": "d1", "title": "t", "text": "x"}\n{"doc_id": "d2", "text": "y"}\n',
            b"[" * 4000,
            b'{"doc_id": ' + b"9" * 4400 + b"}",
        ),
        (b'"doc_id"', b'"text"', b'"title"', b"null", b"1e5", b"NaN"),
    ),
    "bitext-tsv": Target(_rows(Tsv), (b"a boat\tmashua\nb\tc\n", b"\n\n\n\ta\n")),
    "bitext-aligned": Target(_rows(Aligned, 2), (b"a\nb\n\nc\n",)),
    "bitext-jsonl": Target(
        _rows(JsonLines),
        (
            b'{"en": "a", "sw": "b"}\n{"translation": {"en": "a", "sw": null}}\n',
            b"[" * 4000,
            b'{"en": ' + b"9" * 4400 + b"}",
        ),
        (b'"translation"', b'"en"', b'"sw"', b"null"),
    ),
    "bitext-tmx": Target(
        _rows(Tmx),
        (
            TMX,
            b'<?xml version="1.0" encoding="x"?><tmx/>',
            b'<?xml version="1.0" encoding="shift_jis"?><tmx/>',
            b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><tmx>&d;</tmx>',
            TMX.replace(b"<tmx", b'<!DOCTYPE tmx SYSTEM "tmx14.dtd"><tmx', 1).replace(b"&amp;", b"&eacute;&unheard;"),
            TMX.decode().encode("utf-16"),
        ),
        (
            b"<tu>", b"</tu>", b"<tuv xml:lang='en'>", b"<seg>", b"</seg>", b"<!ENTITY ", b"<![CDATA[", b"&#0;",
            b"&amp;", b"&eacute;", b"&x;", b'<!DOCTYPE tmx SYSTEM "x.dtd">',
        ),
    ),
    "bitext-zip": Target(
        _rows(MosesZip),
        (
            _zip({"a.en-sw.en": b"a\nb\n", "a.en-sw.sw": b"c\nd\n"}),
            _zip({"../x.en": b"a", "y.sw": b"b"}),
            b"PK\x03\x04",
        ),
        (b"PK\x01\x02", b"PK\x05\x06"),
    ),
    "manifest": Target(
        _read_manifest,
        (MANIFEST, b"[" * 4000, MANIFEST.replace(b"scores.json", b"../../beside"),
         MANIFEST.replace(b'"size": 2', b'"size": 1e999'), MANIFEST.replace(b"0.1", b"9" * 400),
         MANIFEST.replace(b"scores.json", b"scores\\ud800"), MANIFEST.replace(b"scores.json", b"scores\\u0000")),
        (b'"files"', b'"size"', b'"key"', b"null", b"{}", b"[]"),
    ),
}
# fmt: on
