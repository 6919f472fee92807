"""Token embeddings of many texts in one memory-mapped file."""

import json
import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt

from optical_cli.artifacts.token_format import FORMATS, Float32, Rows, TokenFormat
from optical_cli.cache.files import checksum_of_file
from optical_cli.config.experiment import Storage

if TYPE_CHECKING:
    import torch

Int64 = npt.NDArray[np.int64]
DEFAULT: Storage = "float16"


@dataclass(frozen=True)
class TokenStore:
    """Token embeddings, text after text. How their numbers are stored is known here alone.

    Attributes:
        rows: (tokens, ...) as they are stored, memory-mapped.
        offsets: (texts + 1,); the tokens of text i are rows offsets[i] to offsets[i + 1].
        format: of the rows.
    """

    rows: Rows
    offsets: Int64
    format: TokenFormat = FORMATS[DEFAULT]

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, text: int) -> Float32:
        """The embeddings of one text, (tokens of the text, dimensions)."""
        found: Float32 = self.vectors(*self.offsets[text : text + 2]).numpy()
        return found

    @property
    def lengths(self) -> Int64:
        """Tokens of each text, (texts,)."""
        return np.diff(self.offsets)

    @property
    def tokens(self) -> int:
        """How many there are of all texts."""
        return int(self.offsets[-1])

    @property
    def dimensions(self) -> int:
        """Numbers of an embedding."""
        return self.format.dimensions(self.rows)

    def vectors(self, first: int, last: int, device: str = "cpu") -> "torch.Tensor":
        """(last - first, dimensions) float32: the embeddings of some tokens that follow one another."""
        return self.format.decode(self.rows[first:last], device)

    def some(self, numbers: Int64) -> "torch.Tensor":
        """(numbers, dimensions) float32: the embeddings of some tokens by their numbers."""
        return self.format.decode(self.rows[numbers], "cpu")

    def texts(self, numbers: Int64) -> tuple[Float32, Int64]:
        """The embeddings of some texts, one behind the other, (tokens, dimensions), and where each begins and ends."""
        ends = [self.offsets[number : number + 2] for number in numbers]
        rows = np.concatenate([self.rows[first:last] for first, last in ends])
        offsets = np.concatenate([[0], np.cumsum([last - first for first, last in ends])]).astype(np.int64)
        return self.format.decode(rows, "cpu").numpy(), offsets

    def part(self, first: int, last: int) -> "TokenStore":
        """The texts from `first` to before `last`, as a store of their own; nothing is copied but the offsets."""
        begin, end = self.offsets[first], self.offsets[last]
        return TokenStore(self.rows[begin:end], self.offsets[first : last + 1] - begin, self.format)

    @classmethod
    def open(cls, folder: Path, name: str = "tokens") -> Self:
        """Open the store that a `TokenStoreWriter` left in a folder."""
        said = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        form = FORMATS[said.get("storage", DEFAULT)]
        offsets = np.load(folder / f"{name}.offsets.npy", allow_pickle=False)
        row = form.row(int(said["dimensions"]))
        rows = np.memmap(folder / f"{name}.{form.suffix}", dtype=row, mode="r", shape=int(offsets[-1]))
        return cls(rows, offsets, form)


class TokenStoreWriter:
    """Writes a `TokenStore` text by text, so that no more than a batch is ever in memory.

    Args:
        folder: where the three files go.
        name: their stem.
        storage: how numbers are stored.
        begun: lengths of the texts that the file holds already; what it has behind them is cut off.
        dimensions: of their tokens.
        checksum: of these.

    Attributes:
        dimensions: of the tokens written so far; 0 before the first.
        checksum: the CRC-32 of all that was written so far.
    """

    def __init__(
        self, folder: Path, name: str = "tokens", *, storage: Storage = DEFAULT,
        begun: Sequence[int] | Int64 = (), dimensions: int = 0, checksum: int = 0,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._name = name
        self._storage = storage
        self._format = FORMATS[storage]
        self._lengths = array("q", begun)
        self._file: Any = None
        self.dimensions = dimensions
        self.checksum = checksum

    def __enter__(self) -> Self:
        self._file = self._path.open("r+b" if self._lengths else "wb")
        self._file.truncate(self._size)
        self._file.seek(0, os.SEEK_END)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None:
            offsets = np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int64)
            np.save(self._folder / f"{self._name}.offsets.npy", offsets, allow_pickle=False)
            stored = {} if self._storage == DEFAULT else {"storage": self._storage}
            (self._folder / f"{self._name}.json").write_text(json.dumps({"dimensions": self.dimensions, **stored}))

    @property
    def files(self) -> tuple[str, str, str]:
        """The names of what it writes."""
        return self._path.name, f"{self._name}.offsets.npy", f"{self._name}.json"

    @property
    def begun_is_whole(self) -> bool:
        """Whether the file holds what it is said to hold already.

        Raises:
            OSError: it cannot be read.
        """
        return checksum_of_file(self._path, self._size) == self.checksum

    def append(self, texts: Sequence[npt.ArrayLike]) -> None:
        """Append texts, each (tokens, dimensions)."""
        for tokens in texts:
            rows = self._format.encode(tokens)
            self._lengths.append(len(rows))
            self.dimensions = self._format.dimensions(rows)
            content = rows.tobytes()
            self.checksum = crc32(content, self.checksum)
            self._file.write(content)

    def sync(self) -> None:
        """Push what was written to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def tokens(self) -> int:
        """Tokens written so far."""
        return sum(self._lengths)

    @property
    def bytes_a_token(self) -> int:
        """That each takes in the file."""
        return self._format.row(self.dimensions).itemsize

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._name}.{self._format.suffix}"

    @property
    def _size(self) -> int:
        return self.tokens * self.bytes_a_token


def is_of_tokens(path: Path) -> bool:
    """Whether a file of an artifact holds the embeddings of a store, by its name."""
    return path.suffix in {f".{form.suffix}" for form in FORMATS.values()}
