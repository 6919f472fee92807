import os
import time

from optical_cli.transport.compiled_cache import drop_stale


def folder_of(tmp_path, **seconds):
    (tmp_path / "__pycache__").mkdir()
    for name, when in seconds.items():
        path = tmp_path / ("one.py" if name == "source" else f"__pycache__/{name}.nbi")
        path.touch()
        os.utime(path, (when, when))
    return tmp_path


def left(folder):
    return sorted(index.stem for index in (folder / "__pycache__").iterdir())


def test_code_older_than_any_source_is_dropped(tmp_path):
    folder = folder_of(tmp_path, old=200, source=300, new=400)
    drop_stale(folder)
    assert left(folder) == ["new"]


def test_a_source_from_the_future_does_not_make_every_start_compile(tmp_path):
    folder = folder_of(tmp_path, compiled=400, source=time.time() + 1000)
    drop_stale(folder)
    assert left(folder) == ["compiled"]
