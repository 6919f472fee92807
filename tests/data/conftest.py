import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    """Write a file below the test's folder, compressed if its name ends in .gz or .zst."""

    pack = {".gz": gzip.compress, ".zst": zstd.compress}

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = content.encode() if isinstance(content, str) else content
        path.write_bytes(pack[path.suffix](raw) if path.suffix in pack else raw)
        return path

    return write


PRELUDE = """
import socket, sys
from pathlib import Path

class NoNetwork(socket.socket):
    def connect(self, address):
        raise OSError("no network in tests")

socket.socket = NoNetwork
def resolve(*args, **kwargs):
    raise OSError("no network in tests")
socket.getaddrinfo = resolve

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.absent import downloads_off
from optical_cli.data.collections import open_documents, open_judgements, open_topics
from optical_cli.errors import DataError
base = Path.cwd()
memo = Fingerprints(base / "memo")

def opened(source="miracl/yo/dev", language="yo"):
    return [open(source, language, base) for open in (open_documents, open_topics, open_judgements)]

def read(source, languages, template=None):
    topic, document = languages.split("-")
    documents = [[d.doc_id, d.title, d.text] for d in open_documents(source, document, base).documents()]
    topics = open_topics(source, topic, base, template).topics()
    return documents, topics, open_judgements(source, document, base).judgements()

def offline(read):
    def read_offline():
        with downloads_off():
            return read()

    return read_offline

def fault(read):
    try:
        read()
    except DataError as error:
        return str(error)
"""


@pytest.fixture
def run() -> Callable[[Path, str], Any]:
    """Run code in a new process with a home folder of ir_datasets; return the JSON value it prints."""

    def run(home: Path, code: str) -> Any:
        environment = os.environ | {
            "IR_DATASETS_HOME": str(home),
            "IR_DATASETS_DL_TRIES": "1",
            "IR_DATASETS_SKIP_DISK_FREE": "true",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        done = subprocess.run(
            [sys.executable, "-c", f"{PRELUDE}\nimport json\nprint(json.dumps({code}))"],
            env=environment, cwd=home.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "download" not in done.stderr.lower()  # only our own error reports it
        return json.loads(done.stdout)

    return run
