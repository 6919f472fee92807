"""Token embeddings of many texts in one memory-mapped file, stored as float16 or int8."""

import json
import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt

from optical_cli.cache.files import checksum_of_file
from optical_cli.config.experiment import Storage

if TYPE_CHECKING:
    import torch

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Rows = npt.NDArray[Any]
"""Stored token vectors, (tokens, ...), in the numpy type of their format."""
DEFAULT: Storage = "float16"
LARGEST_CODE = 127
"""-128 is not used, so that codes are symmetric around 0."""


class TokenFormat(ABC):
    """A storage format of token vectors; `suffix` is the ending of its files."""

    suffix: str

    @abstractmethod
    def row(self, dimensions: int) -> np.dtype[Any]:
        """Return the numpy type of a stored vector; its `itemsize` is the number of bytes per token."""

    @abstractmethod
    def dimensions(self, rows: Rows) -> int:
        """Return the dimension of stored vectors."""

    @abstractmethod
    def encode(self, tokens: npt.ArrayLike) -> Rows:
        """Convert vectors, (tokens, dimensions), into rows to store."""

    @abstractmethod
    def decode(self, rows: Rows, device: str) -> "torch.Tensor":
        """Convert stored rows into vectors, (tokens, dimensions) float32, in new memory on a device."""


class _Float16(TokenFormat):
    """Two bytes for each number."""

    suffix = "f16"

    def row(self, dimensions: int) -> np.dtype[Any]:
        return np.dtype((np.float16, (dimensions,)))

    def dimensions(self, rows: Rows) -> int:
        return int(rows.shape[1])

    def encode(self, tokens: npt.ArrayLike) -> Rows:
        return np.ascontiguousarray(tokens, dtype=np.float16)

    def decode(self, rows: Rows, device: str) -> "torch.Tensor":
        return _on(device, rows).float()


class _Int8(TokenFormat):
    """One byte for each number: a code from -127 to 127, multiplied by the scale of the token.

    The scale is a float16, the largest absolute number of the token divided by 127. A scale for each dimension would
    need the whole collection first, and is not better: on three indexes of 384 dimensions, both had cosines of
    1 - 5e-5 with the original vectors, and the errors of dot products were 9 to 22 % larger with a scale for each
    dimension. The product of a code (7 bits) and a scale (11 bits) fits a float32 exactly.
    """

    suffix = "i8"

    def row(self, dimensions: int) -> np.dtype[Any]:
        return np.dtype([("scale", "<f2"), ("codes", "i1", (dimensions,))])

    def dimensions(self, rows: Rows) -> int:
        return int(rows.dtype["codes"].shape[0])

    def encode(self, tokens: npt.ArrayLike) -> Rows:
        vectors = np.asarray(tokens, dtype=np.float32)
        rows = np.zeros(len(vectors), dtype=self.row(vectors.shape[1]))
        scales = (np.abs(vectors).max(axis=1, initial=0) / LARGEST_CODE).astype(np.float16)
        steps = np.where(scales > 0, scales, 1).astype(np.float32)[:, None]
        rows["scale"] = scales
        rows["codes"] = np.clip(np.rint(vectors / steps), -LARGEST_CODE, LARGEST_CODE)
        return rows

    def decode(self, rows: Rows, device: str) -> "torch.Tensor":
        codes, scales = (_on(device, rows[name]).float() for name in ("codes", "scale"))
        return codes.mul_(scales[:, None])


FORMATS: dict[Storage, TokenFormat] = {"float16": _Float16(), "int8": _Int8()}


def _on(device: str, numbers: Rows) -> "torch.Tensor":
    import torch  # only decoding needs it

    return torch.from_numpy(np.array(numbers, order="C")).to(device)  # a copy, because torch needs writable memory


@dataclass(frozen=True)
class TokenStore:
    """The token embeddings of many texts. Those of text i are the rows from offsets[i] to offsets[i + 1]."""

    rows: Rows  # memory-mapped
    offsets: Int64  # (texts + 1,)
    format: TokenFormat = FORMATS[DEFAULT]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.offsets) - 1

    def __getitem__(self, text: int) -> Float32:
        """Return the embeddings of a text, (tokens of the text, dimensions)."""
        return np.asarray(self.vectors(*self.offsets[text : text + 2]))

    @property
    def lengths(self) -> Int64:
        """Number of tokens of each text, (texts,)."""
        return np.diff(self.offsets)

    @property
    def tokens(self) -> int:
        """Number of tokens of all texts."""
        return int(self.offsets[-1])

    @property
    def dimensions(self) -> int:
        """Dimension of an embedding."""
        return self.format.dimensions(self.rows)

    def vectors(self, first: int, last: int, device: str = "cpu") -> "torch.Tensor":
        """Return the embeddings of the tokens from `first` to before `last`, (last - first, dimensions) float32."""
        return self.format.decode(self.rows[first:last], device)

    def some(self, numbers: Int64) -> "torch.Tensor":
        """Return the embeddings of the tokens with these numbers, (numbers, dimensions) float32."""
        return self.format.decode(self.rows[numbers], "cpu")

    def texts(self, numbers: Int64) -> tuple[Float32, Int64]:
        """Return the embeddings of the texts with these numbers, (tokens, dimensions), and offsets, (texts + 1,)."""
        ends = [self.offsets[number : number + 2] for number in numbers]
        rows = np.concatenate([self.rows[first:last] for first, last in ends])
        offsets = np.concatenate([[0], np.cumsum([last - first for first, last in ends])]).astype(np.int64)
        return self.format.decode(rows, "cpu").numpy(), offsets

    def part(self, first: int, last: int) -> "TokenStore":
        """Return the store of the texts from `first` to before `last`, without copying their embeddings."""
        begin, end = self.offsets[first], self.offsets[last]
        return TokenStore(self.rows[begin:end], self.offsets[first : last + 1] - begin, self.format)

    @classmethod
    def open(cls, folder: Path, name: str = "tokens") -> Self:
        """Open a store that a `TokenStoreWriter` has written into a folder."""
        description = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        form = FORMATS[description.get("storage", DEFAULT)]
        offsets = np.load(folder / f"{name}.offsets.npy", allow_pickle=False)
        row = form.row(int(description["dimensions"]))
        rows = np.memmap(folder / f"{name}.{form.suffix}", dtype=row, mode="r", shape=int(offsets[-1]))
        return cls(rows, offsets, form)


class TokenStoreWriter:
    """Writes a `TokenStore` text by text, without keeping it in memory.

    To resume an interrupted file, pass the lengths of the texts that it has (`begun`), and the `dimensions` and
    `checksum` that the interrupted writer had. Anything after these texts is cut off.

    Attributes:
        dimensions: dimension of the embeddings; 0 before the first text.
        checksum: CRC-32 of the file so far.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "tokens",
        *,
        storage: Storage = DEFAULT,
        begun: Sequence[int] | Int64 = (),
        dimensions: int = 0,
        checksum: int = 0,
    ) -> None:
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

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            offsets = np.concatenate([[0], np.cumsum(self._lengths)]).astype(np.int64)
            np.save(self._folder / f"{self._name}.offsets.npy", offsets, allow_pickle=False)
            stored = {} if self._storage == DEFAULT else {"storage": self._storage}
            (self._folder / f"{self._name}.json").write_text(json.dumps({"dimensions": self.dimensions, **stored}))

    @property
    def files(self) -> tuple[str, str, str]:
        """Names of the files: embeddings, offsets and description."""
        return self._path.name, f"{self._name}.offsets.npy", f"{self._name}.json"

    @property
    def begun_is_whole(self) -> bool:
        """Whether the file still has the texts of `begun`, by its checksum; OSError if it cannot be read."""
        return checksum_of_file(self._path, self._size) == self.checksum

    def append(self, texts: Sequence[npt.ArrayLike]) -> None:
        """Append the embeddings of texts, each (tokens, dimensions)."""
        for tokens in texts:
            rows = self._format.encode(tokens)
            self._lengths.append(len(rows))
            self.dimensions = self._format.dimensions(rows)
            content = rows.tobytes()
            self.checksum = crc32(content, self.checksum)
            self._file.write(content)

    def sync(self) -> None:
        """Flush the file to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def tokens(self) -> int:
        """Number of tokens written so far."""
        return sum(self._lengths)

    @property
    def bytes_a_token(self) -> int:
        """Bytes per token in the file."""
        return self._format.row(self.dimensions).itemsize

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._name}.{self._format.suffix}"

    @property
    def _size(self) -> int:
        return self.tokens * self.bytes_a_token


def is_of_tokens(path: Path) -> bool:
    """Return whether a file holds the embeddings of a `TokenStore`, by its name."""
    return path.suffix in {f".{form.suffix}" for form in FORMATS.values()}
