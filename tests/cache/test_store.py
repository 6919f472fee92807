import errno
import json
import threading
import time

import pytest

from optical_cli.cache.keys import Key, canonical_json, key_of
from optical_cli.cache.store import Cache, safe_label
from optical_cli.errors import CacheError, ClusterError

KEY = key_of({"stage": "test", "reg": 0.5})


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def write_two(folder):
    (folder / "inner").mkdir()
    (folder / "a.txt").write_text("alpha")
    (folder / "inner" / "b.bin").write_bytes(b"\0" * 10)
    return {"plans": 3}


@pytest.fixture
def artifact(cache):
    made, _ = cache.make("runs", "sw sw/reg 0.5", KEY, write_two)
    return made


def test_equal_values_have_one_spelling():
    assert (
        canonical_json({"b": 1.0, "a": (1, None, True)})
        == '{"a":[1,null,true],"b":1}'
        == canonical_json({"a": [1.0, None, True], "b": 1})
    )
    assert canonical_json([float("inf"), float("-inf"), -0.0, 0.1]) == '["inf","-inf",0,0.1]'
    assert canonical_json("Yorùbá") == '"Yor\\u00f9b\\u00e1"'
    assert canonical_json(True) != canonical_json(1)
    assert canonical_json("1") != canonical_json(1)


def test_what_json_has_no_word_for_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"reg": float("nan")})
    with pytest.raises(TypeError):
        canonical_json({"path": object()})


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
    assert cache.verify(artifact) == []


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


def test_what_a_process_left_that_was_killed_just_after_it_had_finished_is_cleared_away(cache, artifact):
    unfinished = cache.unfinished("runs", KEY)
    unfinished.mkdir(parents=True)
    (cache.root / "making").mkdir(exist_ok=True)
    note = cache.root / "making" / f"{unfinished.name}.json"
    note.touch()
    assert cache.make("runs", "sw sw/reg 0.5", KEY, write_two) == (artifact, False)
    assert not unfinished.exists()
    assert not note.exists()


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


def test_two_processes_make_it_once_and_the_other_says_that_it_waits(tmp_path, spawn):
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


def test_a_truncated_file_is_found_on_use_with_the_way_out(cache, artifact):
    (artifact.folder / "a.txt").write_text("alph")
    with pytest.raises(
        CacheError, match=rf"a\.txt: 5 bytes expected, 4 found; `optical cache remove {artifact.folder.name}`"
    ):
        cache.find("runs", KEY)
    with pytest.raises(CacheError, match="damaged artifact"):
        cache.make("runs", "x", KEY, write_two)


def test_a_missing_file_is_found_on_use(cache, artifact):
    (artifact.folder / "a.txt").unlink()
    with pytest.raises(CacheError, match=r"a\.txt: missing"):
        cache.find("runs", KEY)


def test_flipped_bits_are_found_by_verify_each_in_its_file(cache, artifact):
    (artifact.folder / "a.txt").write_text("alphb")
    (artifact.folder / "inner" / "b.bin").write_bytes(b"\0" * 9 + b"\1")
    assert cache.find("runs", KEY) is not None
    faults = cache.verify(artifact)
    assert [fault.split(": ")[0] for fault in faults] == [
        str(artifact.folder / name) for name in ("a.txt", "inner/b.bin")
    ]
    assert all("SHA-256" in fault for fault in faults)


def test_a_flipped_bit_in_scores_is_found_on_use(cache):
    artifact, _ = cache.make("scores", "x", KEY, write_two)
    (artifact.folder / "a.txt").write_text("alphb")
    with pytest.raises(CacheError, match=r"a\.txt: its content is not what was written"):
        cache.find("scores", KEY)


def test_a_file_that_cannot_be_read_is_a_fault_and_not_the_end_of_verify(cache, artifact, monkeypatch):
    def broken(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("optical_cli.cache.manifest.sha256_of_file", broken)
    assert [fault.split(": ")[1] for fault in cache.verify(artifact)] == ["cannot be read (Input/output error)"] * 2


def test_a_link_in_the_place_of_a_file_or_folder_is_damage(cache, artifact, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (artifact.folder / "a.txt").rename(outside / "a.txt")
    (artifact.folder / "a.txt").symlink_to(outside / "a.txt")
    assert cache.verify(artifact) == [f"{artifact.folder / 'a.txt'}: a file expected, a link found"]
    (artifact.folder / "inner").rename(outside / "inner")
    (artifact.folder / "inner").symlink_to(outside / "inner")
    assert f"{artifact.folder / 'inner'}: a folder expected, a link found" in cache.verify(artifact)
    with pytest.raises(CacheError, match="a link found"):
        cache.find("runs", KEY)
    cache.remove(artifact)
    assert (outside / "a.txt").exists()
    assert (outside / "inner" / "b.bin").exists()


def test_a_file_that_was_not_written_with_the_artifact_is_named(cache, artifact):
    (artifact.folder / "inner" / "adapter_config.json").write_text("{}")
    (fault,) = cache.verify(artifact)
    assert fault == f"{artifact.folder}/inner/adapter_config.json: was not written with the artifact"


def test_an_artifact_in_another_place_than_its_own_is_named(cache, artifact):
    (cache.root / "scores").mkdir()
    moved = artifact.folder.rename(cache.root / "scores" / f"x-{'0' * 12}")
    (entry,) = cache.entries()
    faults = cache.verify(entry)
    assert len(faults) == 2
    assert f"{moved}: named for another key" in faults[0]
    assert f"{moved}: lies in scores/, and its manifest has it in runs/" in faults[1]


def test_what_was_made_from_an_artifact_is_known(cache, artifact):
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


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "inner/../../outside"])
def test_a_manifest_that_points_outside_is_refused(cache, artifact, name):
    change_manifest(artifact, lambda manifest: manifest["files"].update({name: {"size": 1, "sha256": ""}}))
    with pytest.raises(CacheError, match="names a file outside its folder"):
        cache.find("runs", KEY)


def change_manifest(artifact, change):
    path = artifact.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text("{}"),
        lambda path: path.write_text('{"format": 1, "files": {"a.txt": 5}, "key": "x"}'),
        lambda path: path.write_text('{"format": 1, "files": [], "key": "x"}'),
        lambda path: path.write_text('{"format": 1, "files": {}}'),
        lambda path: path.write_bytes(b"\xff"),
    ],
)
def test_a_damaged_manifest_says_what_to_remove_and_hides_no_other_artifact(cache, artifact, damage):
    other, _ = cache.make("runs", "other", key_of({"stage": "test"}), write_two)
    damage(artifact.folder / "manifest.json")
    with pytest.raises(CacheError, match=rf"manifest\.json: .*`optical cache remove {artifact.folder.name}`") as caught:
        cache.find("runs", KEY)
    assert "\n" not in str(caught.value)
    assert list(cache.entries()) == [other]
    (damaged,) = (entry for entry in cache.all_entries() if entry != other)
    assert (damaged.kind, damaged.folder) == ("runs", artifact.folder)
    assert cache.verify(damaged) == [damaged.reason]
    cache.remove(damaged)
    assert cache.make("runs", "sw sw/reg 0.5", KEY, write_two)[1]


def test_a_manifest_of_another_format_is_not_taken_for_ours(cache, artifact):
    change_manifest(artifact, lambda manifest: manifest.update(format=99))
    with pytest.raises(CacheError, match="another version of optical"):
        cache.find("runs", KEY)


def test_the_whole_key_decides_not_the_digits_in_the_name(cache, artifact):
    assert cache.find("runs", KEY) == artifact
    assert cache.find("runs", Key(KEY.material, KEY.short + "0" * 52)) is None


def test_what_is_no_folder_is_refused_before_anything_is_made(cache, artifact, tmp_path):
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
            CacheError, match=rf"a folder expected, a (link|file) found; `optical cache remove {outside.name}`"
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
def test_a_cache_that_cannot_be_used_is_one_line(tmp_path, place):
    root = tmp_path / "cache"
    if place:
        root.mkdir()
    (root / place).write_text("a file where a folder should be")
    with pytest.raises(CacheError, match=r"the cache cannot be used: .*--cache-dir") as caught:
        Cache(root).make("runs", "x", KEY, write_two)
    assert "\n" not in str(caught.value)


def test_a_full_disk_while_the_manifest_is_written_leaves_nothing(cache, monkeypatch):
    def full(*_arguments):
        raise CacheError("cannot write manifest.json: No space left on device")

    monkeypatch.setattr("optical_cli.cache.store.write_manifest", full)
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


@pytest.mark.parametrize(
    ("label", "name"), [("a b/c", "a_b_c"), ("../..", "artifact"), ("Yorùbá", "Yor_b"), ("x" * 200, "x" * 80)]
)
def test_a_label_becomes_a_safe_name(label, name):
    assert safe_label(label) == name


def test_seconds_are_those_of_the_build(cache):
    def slow(folder):
        time.sleep(0.05)
        return write_two(folder)

    made, _ = cache.make("runs", "slow", KEY, slow)
    assert 0.05 <= made.manifest["seconds"] < 5


def test_a_manifest_may_be_read_by_whom_the_folder_may(artifact):
    assert (artifact.folder / "manifest.json").stat().st_mode == (artifact.folder / "a.txt").stat().st_mode


def test_what_was_finished_before_a_cluster_was_lost_stays(cache):
    def lost(_folder):
        unfinished = cache.unfinished("runs", KEY)
        unfinished.mkdir(parents=True)
        (unfinished / "shards").touch()
        raise ClusterError("workers died")

    with pytest.raises(ClusterError):
        cache.make("runs", "x", KEY, lost)
    assert (cache.unfinished("runs", KEY) / "shards").exists()
