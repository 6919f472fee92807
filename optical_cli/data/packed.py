"""Files that may be packed, gzip or zstd, opened as their bytes say."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, cast

from optical_cli.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked if it is packed.

    The bytes decide, not the name: a .gz that a browser unpacked is still read.

    Raises:
        DataError: the file cannot be read, or what it is packed in is damaged or cut off.
    """
    faults: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
    try:
        with path.open("rb") as plain:
            magic = plain.read(4)
        if magic == _ZSTD_MAGIC:
            zstd = _zstd()
            faults += (zstd.ZstdError,)
            file: IO[bytes] = zstd.ZstdFile(path)
        else:
            file = cast(IO[bytes], gzip.GzipFile(path) if magic.startswith(_GZIP_MAGIC) else path.open("rb"))
        with file:
            yield file
    except faults as error:
        raise DataError(f"{path} cannot be read ({error}); check the file and that it is whole") from error


def _zstd() -> ModuleType:
    # the package `zstandard` ends without an error where a file is cut off; this one raises, as the library of 3.14
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    module: ModuleType = zstd
    return module
