import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from optical_cli.cache.fingerprints import Fingerprints

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def memo(tmp_path: Path) -> Fingerprints:
    return Fingerprints(tmp_path / "memo")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file below the test's folder; a name that ends in .gz or .zst packs it."""

    pack = {".gz": gzip.compress, ".zst": zstd.compress}

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(pack[path.suffix](raw) if path.suffix in pack else raw)
        return path

    return write
