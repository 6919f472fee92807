"""Indexes of a collection: its token embeddings with the ids of its documents, and the tokens quantised."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.errors import CacheError

DOC_IDS = "doc_ids.txt"
Codes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]
_SMALL, _MAPPED = ("centroids", "codebooks", "starts"), ("codes", "documents")


@dataclass(frozen=True)
class DocumentIndex:
    """The token embeddings and the ids of documents, in the order of the collection."""

    store: TokenStore
    doc_ids: list[str]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an index folder; CacheError if the numbers of ids and of documents differ."""
        doc_ids = (folder / DOC_IDS).read_text(encoding="utf-8").split("\n")[:-1]
        store = TokenStore.open(folder)
        if len(store) != len(doc_ids):
            raise CacheError(
                f"{folder}: damaged index: {len(doc_ids)} ids, but {len(store)} documents; run "
                f"`optical cache remove {folder.name}`, and then the command again"
            )
        return cls(store, doc_ids)


@dataclass(frozen=True)
class QuantizedIndex:
    """Inverted lists of product-quantised token embeddings (IVF-PQ; Jégou et al. 2011, TPAMI 33(1)).

    Tokens are ordered by list. A token is approximated by the centroid of its list plus the concatenation of
    codebooks[k, its byte k] over all bytes k.

    Attributes:
        centroids: (lists, dimensions).
        codebooks: (bytes, 256, dimensions / bytes), the part of a vector for each value of each byte.
        starts: (lists + 1,), the first token of each list, and the number of tokens.
        codes: (tokens, bytes), memory-mapped.
        documents: (tokens,), the document of each token, ascending within a list; memory-mapped.
    """

    centroids: Float32
    codebooks: Float32
    starts: Int64
    codes: Codes
    documents: Int32

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a folder that was written by `create` and `save`; CacheError if the sizes of its files do not match."""
        centroids, codebooks, starts = (np.load(_path(folder, name)) for name in _SMALL)
        codes, documents = (np.load(_path(folder, name), mmap_mode="r") for name in _MAPPED)
        if not len(codes) == len(documents) == starts[-1] or len(starts) != len(centroids) + 1:
            raise CacheError(
                f"{folder}: damaged index: the sizes of lists and codes do not match; run `optical cache remove "
                f"{folder.name}`, and then the command again"
            )
        return cls(centroids, codebooks, starts, codes, documents)

    @classmethod
    def create(cls, folder: Path, centroids: Float32, codebooks: Float32, sizes: Int64) -> Self:
        """Create the files of an index with lists of these sizes, (lists,). Fill codes and documents, then `save`."""
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        tokens, create = int(starts[-1]), np.lib.format.open_memmap
        codes = create(_path(folder, "codes"), "w+", np.uint8, (tokens, len(codebooks)))
        documents = create(_path(folder, "documents"), "w+", np.int32, (tokens,))
        return cls(centroids, codebooks, starts, codes, documents)

    def save(self, folder: Path) -> None:
        """Write the small files, and flush codes and documents."""
        for name in _SMALL:
            np.save(_path(folder, name), getattr(self, name), allow_pickle=False)
        for filled in (self.codes, self.documents):
            if isinstance(filled, np.memmap):
                filled.flush()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
