import os

from optical_cli.transport.compiled_cache import drop_stale


def test_code_older_than_any_source_is_dropped(tmp_path):
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    for name, seconds in (("one.py", 100), ("two.py", 300), ("__pycache__/old.nbi", 200), ("__pycache__/new.nbi", 400)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    drop_stale(tmp_path)
    assert [index.name for index in cache.iterdir()] == ["new.nbi"]
