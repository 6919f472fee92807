import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from optical_cli.cache.fingerprints import Fingerprints


@pytest.fixture
def memo(tmp_path: Path) -> Fingerprints:
    return Fingerprints(tmp_path / "memo")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file below the test's folder; a name that ends in .gz packs it."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return path

    return write
