import errno
import json
import time

import pytest

from optical_cli.cache.building import safe_label
from optical_cli.errors import CacheError, ClusterError
from tests.cache.builds import KEY, write_two


def test_the_manifest_is_written_when_everything_else_is_there(cache):
    def build(folder):
        assert cache.find("runs", KEY) is None
        assert not list(cache.root.rglob("manifest.json"))
        return write_two(folder)

    made, _ = cache.make("runs", "x", KEY, build)
    assert json.loads((made.folder / "manifest.json").read_text())["files"]["a.txt"]["size"] == 5


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_build_that_fails_leaves_nothing(cache, error):
    def build(folder):
        write_two(folder)
        raise error

    with pytest.raises(error):
        cache.make("runs", "x", KEY, build)
    assert list((cache.root / "runs").iterdir()) == []
    _, made = cache.make("runs", "x", KEY, write_two)  # and the lock is free again
    assert made


def test_what_a_killed_process_left_is_cleared_away(cache):
    partial = cache.root / "runs" / f".x-{KEY.short}.partial"
    partial.mkdir(parents=True)
    (partial / "half").touch()
    without_manifest = cache.root / "runs" / f"x-{KEY.short}"
    without_manifest.mkdir()
    (without_manifest / "half").touch()
    assert cache.find("runs", KEY) is None
    assert list(cache.entries()) == []
    made, _ = cache.make("runs", "x", KEY, write_two)
    assert list((cache.root / "runs").iterdir()) == [made.folder]
    assert not (made.folder / "half").exists()


def test_a_full_disk_while_the_manifest_is_written_leaves_nothing(cache, monkeypatch):
    def full(*_arguments):
        raise CacheError("cannot write manifest.json: No space left on device")

    monkeypatch.setattr("optical_cli.cache.building.write_manifest", full)
    with pytest.raises(CacheError, match="No space left"):
        cache.make("runs", "x", KEY, write_two)
    assert list((cache.root / "runs").iterdir()) == []


def test_a_full_disk_is_told_with_what_to_do_and_keeps_what_the_next_try_can_use(cache):
    def full(folder):
        (folder / "half").write_bytes(bytes(2_500_000))
        unfinished = cache.unfinished("runs", KEY)
        unfinished.mkdir(parents=True)
        (unfinished / "savepoint").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(CacheError) as caught:
        cache.make("runs", "x", KEY, full)
    said = str(caught.value)
    assert said.startswith(
        f"runs/x could not be made: {cache.root}: No space left on device: 2.5 MB of it were written"
    )
    assert " are free there" in said
    assert "optical cache prune" in said
    assert said.endswith("the same command goes on then")
    assert "\n" not in said
    assert list((cache.root / "runs").iterdir()) == []
    assert (cache.unfinished("runs", KEY) / "savepoint").exists()
    assert cache.make("runs", "x", KEY, write_two)[1]
    assert not cache.unfinished("runs", KEY).exists()


def test_a_file_of_somebody_elses_that_cannot_be_read_is_named(cache, tmp_path):
    with pytest.raises(
        CacheError, match=rf"runs/x could not be made: {tmp_path}/gone.tsv: No such file or directory; mend"
    ):
        cache.make("runs", "x", KEY, lambda _folder: (tmp_path / "gone.tsv").read_text())


def test_a_fault_of_ours_is_not_told_as_one_of_the_disk(cache):
    def wrong(_folder):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        cache.make("runs", "x", KEY, wrong)


def test_what_was_finished_before_a_cluster_was_lost_stays(cache):
    def lost(_folder):
        unfinished = cache.unfinished("runs", KEY)
        unfinished.mkdir(parents=True)
        (unfinished / "shards").touch()
        raise ClusterError("workers died")

    with pytest.raises(ClusterError):
        cache.make("runs", "x", KEY, lost)
    assert (cache.unfinished("runs", KEY) / "shards").exists()


def test_seconds_are_those_of_the_build(cache):
    def slow(folder):
        time.sleep(0.05)
        return write_two(folder)

    made, _ = cache.make("runs", "slow", KEY, slow)
    assert 0.05 <= made.manifest["seconds"] < 5


def test_a_manifest_may_be_read_by_whom_the_folder_may(artifact):
    assert (artifact.folder / "manifest.json").stat().st_mode == (artifact.folder / "a.txt").stat().st_mode


@pytest.mark.parametrize(
    ("label", "name"), [("a b/c", "a_b_c"), ("../..", "artifact"), ("Yorùbá", "Yor_b"), ("x" * 200, "x" * 80)]
)
def test_a_label_becomes_a_safe_name(label, name):
    assert safe_label(label) == name
