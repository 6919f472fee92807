from contextlib import nullcontext

from optical_cli.doctor import cache_folder
from optical_cli.doctor.cache_folder import look_at_cache


def test_a_folder_that_is_yet_to_be_made_is_tried_where_it_would_be_and_nothing_is_left(tmp_path):
    finding = look_at_cache(tmp_path / "not" / "yet")
    assert finding.state in ("ok", "warning")
    assert "can be written, locks hold" in finding.found
    assert list(tmp_path.iterdir()) == []


def test_little_room_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_folder, "LITTLE_ROOM", 1e30)
    finding = look_at_cache(tmp_path)
    assert finding.state == "warning"
    assert "optical cache prune" in finding.mend


def test_a_file_and_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert look_at_cache(tmp_path / "file" / "cache").state == "fault"

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    finding = look_at_cache(tmp_path)
    assert (finding.state, "No space left on device" in finding.found) == ("fault", True)
    assert "OPTICAL_CACHE" in finding.mend


def test_locks_that_hold_nobody_back_are_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("filelock.FileLock", lambda *_args, **_kwargs: nullcontext())
    finding = look_at_cache(tmp_path)
    assert finding.state == "fault"
    assert "a lock does not keep a second process out" in finding.found
