"""Checksums of work that is not finished: CRC-32, which is quicker than a digest and shows what a disk gets wrong."""

import zlib
from pathlib import Path

CHUNK = 1 << 20


def checksum_of_file(path: Path, size: int | None = None) -> int:
    """The CRC-32 of a file's first bytes, of all if no size is given; of fewer if it is shorter."""
    checksum, left = 0, size
    with path.open("rb") as file:
        while chunk := file.read(CHUNK if left is None else min(CHUNK, left)):
            checksum = zlib.crc32(chunk, checksum)
            left = None if left is None else left - len(chunk)
    return checksum


def checksums_of_folder(folder: Path, but: str) -> dict[str, int]:
    """The CRC-32 of every file of a folder but one, by its path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / but)
    return {path.relative_to(folder).as_posix(): checksum_of_file(path) for path in files}
