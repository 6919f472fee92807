"""Collections of the Hugging Face `datasets` library, from the hub or a folder, in the layouts that MTEB reads.

A collection has a configuration for each part: `sw-corpus`, `sw-queries` and `sw-qrels`, or `corpus`, `queries`, and
`default` or `qrels`. The columns are those of BEIR: `_id` (or `id`), `title` and `text`; `query-id`, `corpus-id` and
`score`. A configuration named by the language alone, as in `miracl/miracl-corpus`, has documents (`docid`).
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import LocalCopy, downloads_off
from optical_cli.data.dataset_split import DatasetSplit, split_of
from optical_cli.data.documents import BLANK, Document, checked_documents
from optical_cli.data.paths import Part, listed
from optical_cli.data.text_files import Place, checked_text
from optical_cli.data.topics import BEIR, checked_judgements, checked_topics, id_of, judgement
from optical_cli.errors import DataError, quoted

PREFIX = "hf:"
_SOURCE = re.compile(r"hf:(?P<name>[^#]+)(#(?P<config>[^:@]*)(:(?P<split>[^@]+))?(@(?P<revision>.+))?)?")
_READING = 1  # raised when records are read in another way, so that remembered fingerprints expire
_SETTING = "pairs.*.collection"
_IDS = ("_id", "id", "docid", "query_id", "doc_id")


class Layout(NamedTuple):
    """Where a part of a collection is; the first configuration and split that exist are taken.

    `configs` are templates of the configuration that the experiment names; an entry with `{}` applies only with one.
    """

    configs: tuple[str, ...]
    splits: tuple[str, ...]  # besides the split that the experiment names
    columns: tuple[str, ...]  # all that may be read


LAYOUTS: dict[Part, Layout] = {
    "docs": Layout(("{}-corpus", "corpus", "{}"), ("corpus", "train"), (*_IDS, "title", "text")),
    "queries": Layout(("{}-queries", "queries"), ("queries",), (*_IDS, "text")),
    "qrels": Layout(("{}-qrels", "default", "qrels"), (), BEIR),
}


@dataclass(frozen=True)
class HubCollection:
    """The documents, topics or judgements of a collection.

    Attributes:
        source: `hf:OWNER/NAME`, or `hf:FOLDER`, then `#CONFIG`, `:SPLIT` and `@REVISION`, each if needed.
        part: which of the three.
        base: folder that relative paths start from.
    """

    source: str
    part: Part
    base: Path

    @property
    def name(self) -> str:
        """Name in labels and messages."""
        return self.source

    def fingerprint(self, memo: Fingerprints) -> str:
        """Return the SHA-256 of the records. The library's files of the same records differ between machines."""
        name = f"{self.part} of a dataset, reading {_READING}: {self._split.state(memo)}"
        return memo.of_stream(name, lambda: (json.dumps(record).encode() for record in self._checked()))

    def local_copy(self, memo: Fingerprints | None = None, /) -> LocalCopy:
        """Return where the dataset is on this machine; NotHere if it is not. With a `memo`, read it to its end once."""
        with downloads_off():
            if memo is not None:
                self.fingerprint(memo)
            return self._split.local_copy()

    def documents(self) -> Iterator[Document]:
        """Stream the documents; up to 1 % of them may be blank, as in collections of ir_datasets."""
        return checked_documents(self.source, (_document(record, place) for place, record in self._records()), BLANK)

    def count(self) -> None:
        """Return None: only reading the documents would tell their number."""

    def topics(self) -> dict[str, str]:
        """Return the topic texts by query id."""
        return checked_topics(self.source, ((place, *_id_and_text(record, place)) for place, record in self._records()))

    def judgements(self) -> dict[str, dict[str, int]]:
        """Return the grades by query id and document id."""
        return checked_judgements(self.source, (judgement(place, record) for place, record in self._records()))

    def _checked(self) -> Iterable[Sequence[Any]]:
        if self.part == "docs":
            return ((doc.doc_id, doc.title, doc.text) for doc in self.documents())
        return (self.topics() if self.part == "queries" else self.judgements()).items()

    def _records(self) -> Iterator[tuple[Place, Mapping[str, Any]]]:
        wanted = LAYOUTS[self.part].columns
        return self._split.records(lambda known: [column for column in known if column in wanted])

    @cached_property
    def _split(self) -> DatasetSplit:
        """The split of the configuration that has this part.

        Raises:
            DataError: the dataset has neither of the configurations or splits; the message has those that there are.
        """
        found = _SOURCE.fullmatch(self.source)
        if found is None:
            raise DataError(f"{self.source}: expected hf:OWNER/NAME#CONFIG:SPLIT@REVISION, the last two if needed")
        config, split = found["config"] or "", found["split"] or ""
        one = split_of(found["name"], None, "", found["revision"], _SETTING, self.base, named=bool(split))
        by_part = {part: _configs(part, config) for part in LAYOUTS}
        if one.revision is None:  # all parts are of one commit
            one = replace(one, revision=one.newest_commit([name for names in by_part.values() for name in names]))
        wanted = by_part[self.part]
        configs = one.configs(wanted)
        taken = next((name for name in wanted if name in configs), None)
        if taken is None:
            raise DataError(
                f"{self.source}: expected the configuration {' or '.join(wanted)} for {_WHAT[self.part]}, found "
                f"{listed(configs)}; set {_SETTING}.config{_ELSEWHERE[self.part]}"
            )
        one = replace(one, config=taken)
        return replace(one, split=self._taken(one.splits(), split, taken))

    def _taken(self, splits: Sequence[str], split: str, config: str) -> str:
        wanted = [name for name in (split, *LAYOUTS[self.part].splits) if name]
        if taken := next((name for name in wanted if name in splits), None):
            return taken
        if len(splits) == 1 and (not split or self.part != "qrels"):
            return splits[0]
        expected = f"the split {split}" if split else "the name of a split"
        raise DataError(
            f"{self.source}: expected {expected} of {config}, found {listed(list(splits))}; set {_SETTING}.split"
        )


_WHAT: dict[Part, str] = {"docs": "documents", "queries": "topics", "qrels": "judgements"}
_ELSEWHERE: dict[Part, str] = {
    "docs": "",
    "queries": ", or name them in pairs.*.topics",
    "qrels": ", or name them in pairs.*.qrels",
}


def _configs(part: Part, config: str) -> list[str]:
    """Return the names that a configuration of a part may have, the one to prefer first."""
    return [name.format(config) for name in LAYOUTS[part].configs if config or "{}" not in name]


def _document(record: Mapping[str, Any], place: Place) -> tuple[Place, Document]:
    doc_id, text = _id_and_text(record, place)
    return place, Document(doc_id, checked_text(record.get("title") or "", "title", place), text)


def _id_and_text(record: Mapping[str, Any], place: Place) -> tuple[str, str]:
    named = next((name for name in _IDS if name in record), None)
    if named is None or "text" not in record:
        lacking = "_id" if named is None else "text"
        found = f"the columns {listed([str(name) for name in record])}"
        raise place.fault(expected=f"the column {quoted(lacking)}", found=found, mend="name another dataset")
    return id_of(record, named, place), checked_text(record["text"] or "", "text", place, "name another dataset")
