import errno
import json
import threading
import time

import pytest

from optical_cli.cache.keys import Key, key_of
from optical_cli.cache.store import Cache, safe_label
from optical_cli.errors import CacheError, ClusterError
from tests.cache.builds import KEY, write_two


def test_an_artifact_is_made_once_and_found_again(cache, artifact):
    assert artifact.folder == cache.root / "runs" / f"sw_sw_reg_0.5-{KEY.short}"
    assert artifact.manifest["material"] == {"stage": "test", "reg": 0.5}
    assert artifact.manifest["health"] == {"plans": 3}
    assert set(artifact.manifest["files"]) == {"a.txt", "inner/b.bin"}
    assert artifact.size == 15

    def refuse(_folder):
        raise AssertionError("made again")

    again, made = Cache(cache.root).make("runs", "another label", KEY, refuse)
    assert (again.folder, made) == (artifact.folder, False)
    assert [entry.folder for entry in cache.entries()] == [artifact.folder]
    assert artifact.faults() == []


def test_leftovers_of_a_process_that_was_killed_after_it_finished_are_removed(cache, artifact):
    unfinished = cache.unfinished("runs", KEY)
    unfinished.mkdir(parents=True)
    (cache.root / "making").mkdir(exist_ok=True)
    note = cache.root / "making" / f"{unfinished.name}.json"
    note.touch()
    assert cache.make("runs", "sw sw/reg 0.5", KEY, write_two) == (artifact, False)
    assert not unfinished.exists()
    assert not note.exists()


def test_artifacts_made_from_an_artifact_are_known(cache, artifact):
    keys = [key_of({"stage": "test", "run": KEY.digest}), key_of({"stage": "test", "of": {"run": [KEY.digest]}})]
    below = [cache.make("scores", f"b{number}", key, write_two)[0] for number, key in enumerate(keys)]
    last, _ = cache.make("alignments", "c", key_of({"stage": "test", "b": keys[0].digest}), write_two)
    cache.make("scores", "other", key_of({"stage": "test", "run": "0" * 64}), write_two)
    made = cache.made_from(artifact)
    assert {one.folder for one in made} == {below[0].folder, below[1].folder, last.folder}
    assert len(made) == 3
    assert cache.made_from(below[1]) == []


def test_a_removed_artifact_is_gone(cache, artifact):
    cache.remove(artifact)
    assert cache.find("runs", KEY) is None
    assert not artifact.folder.exists()
    with pytest.raises(CacheError, match="cannot be used"):
        cache.remove(artifact)


def test_the_whole_key_is_compared_not_only_the_digits_in_the_name(cache, artifact):
    assert cache.find("runs", KEY) == artifact
    assert cache.find("runs", Key(KEY.material, KEY.short + "0" * 52)) is None


def test_a_file_or_link_in_place_of_a_folder_is_refused_before_anything_is_made(cache, artifact, tmp_path):
    def refuse(_folder):
        raise AssertionError("made, and then it cannot be put there")

    outside = artifact.folder.rename(tmp_path / artifact.folder.name)
    for put in (
        lambda path: path.symlink_to(outside),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.touch(),
    ):
        put(artifact.folder)
        with pytest.raises(
            CacheError, match=rf"expected a folder, found a (link|file); run `optical cache remove {outside.name}`"
        ):
            cache.make("runs", "sw sw/reg 0.5", KEY, refuse)
        assert list(cache.entries()) == []
        (damaged,) = cache.all_entries()
        cache.remove(damaged)
    assert (outside / "a.txt").exists()
    partial = artifact.folder.with_name(f".{artifact.folder.name}.partial")
    partial.symlink_to(outside)
    assert cache.make("runs", "sw sw/reg 0.5", KEY, write_two)[1]
    assert list((cache.root / "runs").iterdir()) == [artifact.folder]
    assert (outside / "a.txt").exists()


@pytest.mark.parametrize("place", ["", "runs", "locks"])
def test_a_cache_that_cannot_be_used_is_reported_in_one_line(tmp_path, place):
    root = tmp_path / "cache"
    if place:
        root.mkdir()
    (root / place).write_text("a file where a folder should be")
    with pytest.raises(CacheError, match=r"the cache cannot be used: .*--cache-dir") as caught:
        Cache(root).make("runs", "x", KEY, write_two)
    assert "\n" not in str(caught.value)


def test_the_manifest_is_written_last(cache):
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
    _, made = cache.make("runs", "x", KEY, write_two)  # the lock was released
    assert made


def test_leftovers_of_a_killed_process_are_removed(cache):
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

    monkeypatch.setattr("optical_cli.cache.store.write_manifest", full)
    with pytest.raises(CacheError, match="No space left"):
        cache.make("runs", "x", KEY, write_two)
    assert list((cache.root / "runs").iterdir()) == []


def test_a_full_disk_is_reported_with_a_remedy_and_keeps_partial_results(cache):
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
    assert said.endswith("then run the same command again, which resumes")
    assert "\n" not in said
    assert list((cache.root / "runs").iterdir()) == []
    assert (cache.unfinished("runs", KEY) / "savepoint").exists()
    assert cache.make("runs", "x", KEY, write_two)[1]
    assert not cache.unfinished("runs", KEY).exists()


def test_an_unreadable_file_outside_the_cache_is_named(cache, tmp_path):
    with pytest.raises(
        CacheError, match=rf"runs/x could not be made: {tmp_path}/gone.tsv: No such file or directory; check that file"
    ):
        cache.make("runs", "x", KEY, lambda _folder: (tmp_path / "gone.tsv").read_text())


def test_an_error_of_the_code_is_not_reported_as_one_of_the_disk(cache):
    def wrong(_folder):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        cache.make("runs", "x", KEY, wrong)


def test_partial_results_stay_when_a_cluster_is_lost(cache):
    def lost(_folder):
        unfinished = cache.unfinished("runs", KEY)
        unfinished.mkdir(parents=True)
        (unfinished / "shards").touch()
        raise ClusterError("workers died")

    with pytest.raises(ClusterError):
        cache.make("runs", "x", KEY, lost)
    assert (cache.unfinished("runs", KEY) / "shards").exists()


def test_the_manifest_has_the_seconds_of_the_build(cache):
    def slow(folder):
        time.sleep(0.05)
        return write_two(folder)

    made, _ = cache.make("runs", "slow", KEY, slow)
    assert 0.05 <= made.manifest["seconds"] < 5


def test_a_manifest_has_the_permissions_of_its_folder(artifact):
    assert (artifact.folder / "manifest.json").stat().st_mode == (artifact.folder / "a.txt").stat().st_mode


@pytest.mark.parametrize(
    ("label", "name"), [("a b/c", "a_b_c"), ("../..", "artifact"), ("Yorùbá", "Yor_b"), ("x" * 200, "x" * 80)]
)
def test_a_label_becomes_a_safe_name(label, name):
    assert safe_label(label) == name


WANT_IT = """
import sys, time
from pathlib import Path
from optical_cli.cache.keys import key_of
from optical_cli.cache.store import Cache

def build(folder):
    print("building", flush=True)
    time.sleep(0.5)
    (folder / "pid").write_text("x")
    return {}

cache = Cache(Path(sys.argv[1]), on_wait=lambda label: print("waiting for", label, flush=True))
artifact, made = cache.make("runs", "the run", key_of({"stage": "test"}), build)
print("made" if made else "found", flush=True)
"""


def test_two_processes_make_an_artifact_once_and_the_second_reports_that_it_waits(tmp_path, spawn):
    processes = [spawn(tmp_path / "cache", code=WANT_IT) for _ in range(2)]
    said = sorted(process.communicate(timeout=30)[0].split("\n")[:-1] for process in processes)
    assert said == [["building", "made"], ["waiting for the run", "found"]]


def test_an_interrupted_wait_lets_the_builder_finish(cache):
    started, go_on = threading.Event(), threading.Event()

    def slow(folder):
        started.set()
        go_on.wait(10)
        return write_two(folder)

    def interrupt(_label):
        raise KeyboardInterrupt

    builder = threading.Thread(target=cache.make, args=("runs", "x", KEY, slow))
    builder.start()
    started.wait(10)
    with pytest.raises(KeyboardInterrupt):
        Cache(cache.root, on_wait=interrupt).make("runs", "x", KEY, write_two)
    go_on.set()
    builder.join(10)
    assert cache.find("runs", KEY) is not None
