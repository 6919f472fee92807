"""A quantised index: the list that each token of a collection is in, and a few bytes for how it is off its centre."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from optical_cli.artifacts.token_store import Int64
from optical_cli.errors import CacheError

Float32 = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True)
class QuantizedIndex:
    """Tokens list by list: inverted lists of product-quantised residuals (Jégou et al. 2011, TPAMI 33(1)).

    A token is near centroids[its list], plus codebooks[k, its byte k] for each k, one after the other.

    Attributes:
        centroids: (lists, dimensions) the centres.
        codebooks: (bytes, 256, dimensions / bytes) what each value of each byte stands for.
        starts: (lists + 1,) where lists begin and end.
        codes: (tokens, bytes), memory-mapped.
        documents: (tokens,) whose tokens these are, memory-mapped; ascending within a list.
    """

    centroids: Float32
    codebooks: Float32
    starts: Int64
    codes: Codes
    documents: Int32

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder that `create` and `save` have filled.

        Raises:
            CacheError: its files do not belong together.
        """
        centroids, codebooks, starts = (np.load(_path(folder, name)) for name in ("centroids", "codebooks", "starts"))
        codes, documents = (np.load(_path(folder, name), mmap_mode="r") for name in ("codes", "documents"))
        if not len(codes) == len(documents) == starts[-1] or len(starts) != len(centroids) + 1:
            raise CacheError(f"{folder}: lists and codes do not belong together; `optical cache remove {folder.name}`")
        return cls(centroids, codebooks, starts, codes, documents)

    @classmethod
    def create(cls, folder: Path, centroids: Float32, codebooks: Float32, sizes: Int64) -> Self:
        """Files in a folder whose codes and documents are still to be filled; `save` completes them.

        Args:
            folder: where they go.
            centroids: (lists, dimensions).
            codebooks: (bytes, 256, dimensions / bytes).
            sizes: (lists,) tokens of each list.
        """
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        shapes: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
            "codes": (np.uint8, (int(starts[-1]), len(codebooks))),
            "documents": (np.int32, (int(starts[-1]),)),
        }
        codes, documents = (
            np.lib.format.open_memmap(_path(folder, name), mode="w+", dtype=dtype, shape=shape)
            for name, (dtype, shape) in shapes.items()
        )
        return cls(centroids, codebooks, starts, codes, documents)

    def save(self, folder: Path) -> None:
        """Write what `create` has not, and what was filled in since."""
        for name in ("centroids", "codebooks", "starts"):
            np.save(_path(folder, name), getattr(self, name), allow_pickle=False)
        for filled in (self.codes, self.documents):
            if isinstance(filled, np.memmap):
                filled.flush()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
