"""What is searched: the token embeddings of a collection with the ids of its documents, and these tokens quantised."""

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
    """Token embeddings and ids of documents, in the order of the collection."""

    store: TokenStore
    doc_ids: list[str]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an index folder; CacheError if ids and embeddings do not belong together."""
        doc_ids = (folder / DOC_IDS).read_text(encoding="utf-8").split("\n")[:-1]
        store = TokenStore.open(folder)
        if len(store) != len(doc_ids):
            raise CacheError(
                f"{folder}: {len(doc_ids)} ids and {len(store)} documents; "
                f"`optical cache remove {folder.name}` and run again"
            )
        return cls(store, doc_ids)


@dataclass(frozen=True)
class QuantizedIndex:
    """Tokens list by list: inverted lists of product-quantised residuals (Jégou et al. 2011, TPAMI 33(1)).

    A token is near centroids[its list] plus codebooks[k, its byte k] for each k, one behind the other.

    Attributes:
        centroids: (lists, dimensions).
        codebooks: (bytes, 256, dimensions / bytes) what each value of each byte stands for.
        starts: (lists + 1,) where lists begin and end.
        codes: (tokens, bytes), memory-mapped.
        documents: (tokens,) the document of each token, memory-mapped; ascending within a list.
    """

    centroids: Float32
    codebooks: Float32
    starts: Int64
    codes: Codes
    documents: Int32

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder that `create` and `save` have filled; CacheError if its files do not belong together."""
        centroids, codebooks, starts = (np.load(_path(folder, name)) for name in _SMALL)
        codes, documents = (np.load(_path(folder, name), mmap_mode="r") for name in _MAPPED)
        if not len(codes) == len(documents) == starts[-1] or len(starts) != len(centroids) + 1:
            raise CacheError(f"{folder}: lists and codes do not belong together; `optical cache remove {folder.name}`")
        return cls(centroids, codebooks, starts, codes, documents)

    @classmethod
    def create(cls, folder: Path, centroids: Float32, codebooks: Float32, sizes: Int64) -> Self:
        """Create files for lists of (lists,) `sizes`, whose codes and documents are still to be filled, and saved."""
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        tokens, create = int(starts[-1]), np.lib.format.open_memmap
        codes = create(_path(folder, "codes"), "w+", np.uint8, (tokens, len(codebooks)))
        documents = create(_path(folder, "documents"), "w+", np.int32, (tokens,))
        return cls(centroids, codebooks, starts, codes, documents)

    def save(self, folder: Path) -> None:
        """Write the small files, and flush those that were filled since `create`."""
        for name in _SMALL:
            np.save(_path(folder, name), getattr(self, name), allow_pickle=False)
        for filled in (self.codes, self.documents):
            if isinstance(filled, np.memmap):
                filled.flush()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
