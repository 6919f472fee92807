"""A build function for tests of the cache."""

from optical_cli.cache.keys import key_of

KEY = key_of({"stage": "test", "reg": 0.5})


def write_two(folder):
    (folder / "inner").mkdir()
    (folder / "a.txt").write_text("alpha")
    (folder / "inner" / "b.bin").write_bytes(b"\0" * 10)
    return {"plans": 3}
