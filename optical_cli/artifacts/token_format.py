"""How a store keeps the numbers of a token on the disk: a row of bytes a token, in one of two formats."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from optical_cli.config.experiment import Storage

if TYPE_CHECKING:
    import torch

Float32 = npt.NDArray[np.float32]
Rows = npt.NDArray[Any]
"""(tokens, ...) as they are stored."""
LARGEST = 127
"""Of the codes, to either side of 0: -128 stays unused, so that a vector and its opposite are stored alike."""


class TokenFormat(Protocol):
    """A way to store vectors of float32.

    Attributes:
        suffix: of the file.
    """

    suffix: str

    def row(self, dimensions: int) -> np.dtype[Any]:
        """What numpy calls a row of so many numbers; its `itemsize` is the bytes of a token."""
        ...

    def dimensions(self, rows: Rows) -> int:
        """Numbers of a vector."""
        ...

    def encode(self, tokens: npt.ArrayLike) -> Rows:
        """The rows of some vectors, (tokens, dimensions)."""
        ...

    def decode(self, rows: Rows, device: str) -> "torch.Tensor":
        """(tokens, dimensions) float32: what the rows stand for, to the bit, on a device and in memory of its own."""
        ...


class Float16Format:
    """Each number in two bytes."""

    suffix = "f16"

    def row(self, dimensions: int) -> np.dtype[Any]:
        """So many float16."""
        return np.dtype((np.float16, (dimensions,)))

    def dimensions(self, rows: Rows) -> int:
        """Those of the array."""
        return int(rows.shape[1])

    def encode(self, tokens: npt.ArrayLike) -> Rows:
        """Rounded to float16."""
        return np.ascontiguousarray(tokens, dtype=np.float16)

    def decode(self, rows: Rows, device: str) -> "torch.Tensor":
        """Every float16 is a float32."""
        return _on(device, rows).float()


class Int8Format:
    """Each number a code from -127 to 127, times a scale that the token has for all of them, a float16.

    The scale is a 127th of the token's largest number. One scale a dimension would have to know the whole collection
    first, and is no better: on three indexes of 384 dimensions both kept cosines of 1 - 5e-5 to what was to be stored,
    and its dot products were 9 to 22 % further off. A product of 7 and 11 bits is a float32, so that what is stored is
    known to the bit.
    """

    suffix = "i8"

    def row(self, dimensions: int) -> np.dtype[Any]:
        """The scale, then the codes."""
        return np.dtype([("scale", "<f2"), ("codes", "i1", (dimensions,))])

    def dimensions(self, rows: Rows) -> int:
        """Those of the codes."""
        return int(rows.dtype["codes"].shape[0])

    def encode(self, tokens: npt.ArrayLike) -> Rows:
        """Each number to the nearest of 255."""
        vectors = np.asarray(tokens, dtype=np.float32)
        rows = np.zeros(len(vectors), dtype=self.row(vectors.shape[1]))
        scales = (np.abs(vectors).max(axis=1, initial=0) / LARGEST).astype(np.float16)
        steps = np.where(scales > 0, scales, 1).astype(np.float32)[:, None]
        rows["scale"] = scales
        rows["codes"] = np.clip(np.rint(vectors / steps), -LARGEST, LARGEST)
        return rows

    def decode(self, rows: Rows, device: str) -> "torch.Tensor":
        """The codes times the scales."""
        codes, scales = (_on(device, rows[name]).float() for name in ("codes", "scale"))
        return codes.mul_(scales[:, None])


FORMATS: dict[Storage, TokenFormat] = {"float16": Float16Format(), "int8": Int8Format()}


def _on(device: str, numbers: Rows) -> "torch.Tensor":
    import torch  # who counts tokens only does without

    return torch.from_numpy(np.array(numbers, order="C")).to(device)  # a copy: torch wants to be able to write
