"""The digest of an input file, or why it cannot be read."""

from pathlib import Path

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError


def file_digest(path: Path, memo: Fingerprints) -> str:
    """SHA-256 of a file's bytes, 64 hex digits; DataError if it cannot be read."""
    try:
        return memo.of_file(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); check that it exists and may be read") from error
