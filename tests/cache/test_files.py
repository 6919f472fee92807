import errno
import os

import pytest

from optical_cli.cache.files import not_made, remedy, sync_folder, system_error, write_text
from optical_cli.errors import CacheError


def test_an_error_with_a_number_is_returned_unchanged(tmp_path):
    error = PermissionError(errno.EACCES, "Permission denied", "x")
    assert system_error(error, tmp_path) is error


def test_a_full_disk_is_found_in_the_errors_of_libraries(tmp_path):
    torch = RuntimeError("unexpected pos 64 vs 0")
    torch.__context__ = OSError(errno.ENOSPC, "No space left on device")
    assert system_error(torch, tmp_path) is torch.__context__
    rust = RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert system_error(rust, tmp_path).errno == errno.ENOSPC


def test_a_folder_that_cannot_be_written_is_found_by_a_probe(tmp_path):
    said = system_error(RuntimeError("PytorchStreamWriter failed writing file"), tmp_path / "gone")
    assert said.errno == errno.ENOENT


def test_other_errors_are_not_errors_of_the_system(tmp_path):
    assert system_error(RuntimeError("shapes do not match"), tmp_path) is None
    assert system_error(BrokenPipeError(errno.EPIPE, "Broken pipe"), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_remedy_for_a_full_disk_is_free_space(number, tmp_path):
    error = OSError(number, os.strerror(number))
    assert "free some space" in remedy(error)
    assert "permissions" not in str(not_made("runs/x", error, tmp_path))


def test_the_remedy_for_a_read_only_folder_is_permissions(tmp_path):
    error = OSError(errno.EROFS, "Read-only file system", str(tmp_path / "runs"))
    said = str(not_made("runs/x", error, tmp_path))
    assert said == (
        f"runs/x could not be made: {tmp_path}/runs: Read-only file system; "
        "correct its permissions, or name another folder with --cache-dir or OPTICAL_CACHE"
    )


def test_a_small_file_is_replaced_atomically(tmp_path):
    write_text(tmp_path / "deep" / "x.json", "old")
    write_text(tmp_path / "deep" / "x.json", "new")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.json"]
    assert (tmp_path / "deep" / "x.json").read_text() == "new"


def test_a_failed_write_is_reported_and_leaves_nothing(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "inside").touch()
    with pytest.raises(CacheError, match=r"cannot write .*--cache-dir"):
        write_text(tmp_path / "x", "text")  # x is a folder
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_files_of_a_finished_folder_have_the_permissions_of_the_umask(tmp_path, mask):
    path = tmp_path / "1_Dense" / "model.safetensors"
    path.parent.mkdir()
    path.touch(0o600)
    before = os.umask(mask)
    try:
        sync_folder(tmp_path)
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_others_can_read_the_artifacts_of_a_shared_cache(swept):
    files = [path for path in swept.rglob("*.safetensors") if path.is_file()]
    assert files
    mask = os.umask(0o022)
    os.umask(mask)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o666 & ~mask}
