"""Write an index shard by shard, so that it can be resumed after the last finished shard."""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from zlib import crc32

import numpy as np

from optical_cli.artifacts.indexes import DOC_IDS
from optical_cli.artifacts.token_store import Float32, Int64, TokenStoreWriter
from optical_cli.cache.files import checksum_of_file, write_text
from optical_cli.config.experiment import Storage

MARKER = "finished.json"
"""Holds the lengths and checksums of the files at the end of the last finished shard. Bytes beyond are unfinished."""
LENGTHS = "lengths.i64"
NOTHING = {"documents": 0, "encoded": 0, "dimensions": 0, "bytes_of_ids": 0, "checksum": 0, "checksum_of_ids": 0}


class Shards:
    """The files of an index while it is written, in a folder of their own that outlives a kill.

    Attributes:
        begun: number of documents that an earlier run finished.
        encoded: number of tokens before pooling, with those of the earlier run.
        store: writer of the tokens, which continues after those of the earlier run.
    """

    def __init__(self, folder: Path, storage: Storage) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        mark, lengths, self.store = _finished_in(folder, storage)
        self.begun = mark["documents"]
        self._ids = _cut(folder / DOC_IDS, mark["bytes_of_ids"])
        self._lengths = _cut(folder / LENGTHS, lengths.nbytes)
        self._documents = self.begun
        self.encoded = mark["encoded"]
        self._checksum_of_ids = mark["checksum_of_ids"]

    def __enter__(self) -> Self:
        self.store.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ids.close()
        self._lengths.close()
        self.store.__exit__(kind)

    def append(self, doc_ids: Sequence[str], texts: Sequence[Float32], encoded: int) -> None:
        """Append a shard of documents and write it to disk.

        Args:
            doc_ids: ids of the documents.
            texts: (tokens, dimensions) of each document.
            encoded: number of tokens before pooling.
        """
        self.store.append(texts)
        ids = "".join(f"{doc_id}\n" for doc_id in doc_ids).encode()
        self._checksum_of_ids = crc32(ids, self._checksum_of_ids)
        self._ids.write(ids)
        self._lengths.write(np.array([len(tokens) for tokens in texts], dtype=np.int64).tobytes())
        self._documents += len(texts)
        self.encoded += encoded
        for file in (self._ids, self._lengths):
            file.flush()
            os.fsync(file.fileno())
        self.store.sync()  # all data is on disk before the marker is
        mark = {
            "documents": self._documents,
            "encoded": self.encoded,
            "dimensions": self.store.dimensions,
            "bytes_of_ids": self._ids.tell(),
            "checksum": self.store.checksum,
            "checksum_of_ids": self._checksum_of_ids,
        }
        write_text(self._folder / MARKER, json.dumps({**mark, "checksum_of_this": _checksum_of(mark)}))

    def deliver(self, folder: Path) -> None:
        """Link the files into a folder on the same disk. They stay in this folder too, in case of a kill."""
        for name in (*self.store.files, DOC_IDS):
            try:
                os.link(self._folder / name, folder / name)
            except OSError:  # a file system without hard links
                shutil.move(self._folder / name, folder / name)


def _finished_in(folder: Path, storage: Storage) -> tuple[dict[str, int], Int64, TokenStoreWriter]:
    """Read what an earlier run finished: its marker, the length of each document, and a writer that continues.

    Without intact files of an earlier run: an empty marker, no lengths and a new writer.
    """
    with suppress(OSError, ValueError, KeyError):
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        mark = {name: int(found[name]) for name in NOTHING}
        same_mark = _checksum_of(mark) == found["checksum_of_this"]
        lengths = np.fromfile(folder / LENGTHS, dtype=np.int64, count=mark["documents"])
        store = TokenStoreWriter(
            folder, storage=storage, begun=lengths, dimensions=mark["dimensions"], checksum=mark["checksum"]
        )  # with wrong lengths it reads other bytes, whose checksum differs
        same_ids = checksum_of_file(folder / DOC_IDS, mark["bytes_of_ids"]) == mark["checksum_of_ids"]
        if len(lengths) == mark["documents"] and same_mark and same_ids and store.begun_is_whole:
            return mark, lengths, store
    return dict(NOTHING), np.zeros(0, dtype=np.int64), TokenStoreWriter(folder, storage=storage)


def _checksum_of(mark: dict[str, int]) -> int:
    return crc32(json.dumps(mark, sort_keys=True).encode())


def _cut(path: Path, size: int) -> Any:
    """Open a file for appending, truncated to a size in bytes."""
    file = path.open("r+b" if size else "wb")
    file.truncate(size)
    file.seek(0, os.SEEK_END)
    return file
