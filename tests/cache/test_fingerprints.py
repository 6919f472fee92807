import hashlib
import os

import pytest

from optical_cli.cache.fingerprints import Fingerprints


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data.tsv"
    path.write_text("one\tmoja\n")
    return path


@pytest.fixture
def digests(tmp_path):
    return Fingerprints(tmp_path / "memo")


def test_the_fingerprint_of_a_file_depends_on_its_bytes(digests, file):
    assert digests.of_file(file) == hashlib.sha256(b"one\tmoja\n").hexdigest()


def test_a_file_that_has_not_changed_is_not_read_again(digests, file, tmp_path, monkeypatch):
    before = digests.of_file(file)
    monkeypatch.setattr("optical_cli.cache.fingerprints.sha256_of_file", lambda _path: "read again")
    assert Fingerprints(tmp_path / "memo").of_file(file) == before
    os.utime(file, (1, 1))
    assert digests.of_file(file) == before  # all keys of a process use the same content
    assert Fingerprints(tmp_path / "memo").of_file(file) == "read again"


def test_a_change_of_one_byte_is_seen_with_equal_size(digests, file, tmp_path):
    before = digests.of_file(file)
    seen = file.stat().st_mtime_ns
    file.write_text("one\tmojo\n")
    os.utime(file, ns=(seen, seen + 1))
    assert Fingerprints(tmp_path / "memo").of_file(file) != before


def test_a_change_of_one_byte_is_seen_with_equal_size_and_mtime(digests, file, tmp_path):
    before = digests.of_file(file)
    seen = file.stat().st_mtime_ns
    file.write_text("one\tmojo\n")
    os.utime(file, ns=(seen, seen))  # like cp -p, rsync -t and tar -x
    assert Fingerprints(tmp_path / "memo").of_file(file) != before


def test_a_damaged_memo_only_costs_time(digests, file, tmp_path):
    before = digests.of_file(file)
    (note,) = (tmp_path / "memo").iterdir()
    text = note.read_text()
    digit = "1" if before[0] == "0" else "0"
    for damaged in ("{", "[]", "{}", text.replace(before, digit + before[1:]), text.replace('"sha256"', '"sha257"')):
        note.write_text(damaged)
        assert Fingerprints(tmp_path / "memo").of_file(file) == before


def test_a_memo_that_cannot_be_written_only_costs_time(file, tmp_path):
    (tmp_path / "memo").write_text("a file where a folder should be")
    assert Fingerprints(tmp_path / "memo").of_file(file) == hashlib.sha256(b"one\tmoja\n").hexdigest()


def test_a_file_that_changes_while_it_is_read_is_not_remembered(digests, file, tmp_path, monkeypatch):
    def read_and_change(path):
        path.write_text("changed\n")
        return "of neither"

    with monkeypatch.context() as patched:
        patched.setattr("optical_cli.cache.fingerprints.sha256_of_file", read_and_change)
        digests.of_file(file)
    assert Fingerprints(tmp_path / "memo").of_file(file) == hashlib.sha256(b"changed\n").hexdigest()


def test_a_stream_is_read_once_and_its_chunks_have_boundaries(digests):
    assert digests.of_stream("a", lambda: [b"ab", b"c"]) != digests.of_stream("b", lambda: [b"a", b"bc"])

    def again():
        raise AssertionError("read again")

    assert len(digests.of_stream("a", again)) == 64


def test_a_stream_that_breaks_is_not_remembered(digests):
    def broken():
        yield b"ab"
        raise ValueError("line 2")

    for _ in range(2):
        with pytest.raises(ValueError, match="line 2"):
            digests.of_stream("a", broken)
