"""Token embeddings of many texts in one memory-mapped file."""

import json
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenStore:
    """Unit-length token embeddings, text after text.

    Attributes:
        tokens: (tokens, dimensions) float16, memory-mapped.
        offsets: (texts + 1,); the tokens of text i are rows offsets[i] to offsets[i + 1].
    """

    tokens: Float16
    offsets: Int64

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, text: int) -> Float16:
        """The embeddings of one text, (tokens of the text, dimensions)."""
        return self.tokens[self.offsets[text] : self.offsets[text + 1]]

    @property
    def lengths(self) -> Int64:
        """Tokens of each text, (texts,)."""
        return np.diff(self.offsets)

    @classmethod
    def open(cls, folder: Path, name: str = "tokens") -> Self:
        """Open the store that a `TokenStoreWriter` left in a folder."""
        dimensions = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["dimensions"]
        offsets = np.load(folder / f"{name}.offsets.npy", allow_pickle=False)
        shape = (int(offsets[-1]), int(dimensions))
        tokens = np.memmap(folder / f"{name}.f16", dtype=np.float16, mode="r", shape=shape)
        return cls(tokens, offsets)


class TokenStoreWriter:
    """Writes a `TokenStore` text by text, so that no more than a batch is ever in memory.

    Args:
        folder: where the three files go.
        name: their stem.
        begun: lengths of the texts that the file holds already; what it has behind them is cut off.
        dimensions: of their tokens.
    """

    def __init__(
        self, folder: Path, name: str = "tokens", *, begun: Sequence[int] | Int64 = (), dimensions: int = 0
    ) -> None:
        self._folder = folder
        self._name = name
        self._lengths = array("q", begun)
        self._dimensions = dimensions
        self._file: Any = None

    def __enter__(self) -> Self:
        self._file = (self._folder / f"{self._name}.f16").open("r+b" if self._lengths else "wb")
        self._file.truncate(2 * self.tokens * self._dimensions)
        self._file.seek(0, os.SEEK_END)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            offsets = np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int64)
            np.save(self._folder / f"{self._name}.offsets.npy", offsets, allow_pickle=False)
            (self._folder / f"{self._name}.json").write_text(json.dumps({"dimensions": self._dimensions}))

    @property
    def files(self) -> tuple[str, str, str]:
        """The names of what it writes."""
        return f"{self._name}.f16", f"{self._name}.offsets.npy", f"{self._name}.json"

    def append(self, texts: Sequence[Float16 | Float32]) -> None:
        """Append texts, each (tokens, dimensions); float32 is rounded to what is stored."""
        for tokens in texts:
            self._lengths.append(len(tokens))
            self._dimensions = tokens.shape[1]
            self._file.write(np.ascontiguousarray(tokens, dtype=np.float16).tobytes())

    def sync(self) -> None:
        """Push what was written to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def tokens(self) -> int:
        """Tokens written so far."""
        return sum(self._lengths)

    @property
    def dimensions(self) -> int:
        """Of the tokens written so far; 0 before the first."""
        return self._dimensions
