"""How far two files are from each other is told in the numbers that they stand for."""

import numpy as np
import pytest

from optical_cli.artifacts.token_store import TokenStoreWriter
from optical_cli.cache.artifact import Artifact
from optical_cli.reproduce.differences import differences


@pytest.mark.parametrize(("storage", "name"), [("float16", "tokens.f16"), ("int8", "tokens.i8")])
def test_tokens_are_compared_as_numbers_however_they_are_stored(tmp_path, storage, name):
    tokens = np.array([[1, 0.5], [0, -1]], dtype=np.float32)
    for folder, change in (("then", 0.0), ("now", 0.25)):
        (tmp_path / folder).mkdir()
        with TokenStoreWriter(tmp_path / folder, storage=storage) as writer:
            writer.append([tokens - np.array([[0, change], [0, 0]], dtype=np.float32)])
    files = {path.name: {"sha256": "another" if path.name == name else None} for path in (tmp_path / "then").iterdir()}
    found = list(differences(Artifact("indexes", tmp_path / "then", {"files": files}), tmp_path / "now"))
    (said,) = [line for line in found if line.startswith(name)]
    assert said == f"{name}: 25.0% of 4 numbers differ, by 2.5e-01 at most"
