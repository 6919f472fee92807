import json
import threading
import time

import pytest

from optical_cli.cache.keys import canonical_json, key_of
from optical_cli.cache.store import Cache, safe_label
from optical_cli.errors import CacheError

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


def test_a_flipped_bit_is_found_by_verify(cache, artifact):
    (artifact.folder / "a.txt").write_text("alphb")
    assert cache.find("runs", KEY) is not None
    (fault,) = cache.verify(artifact)
    assert "a.txt" in fault
    assert "SHA-256" in fault


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
def test_a_damaged_manifest_says_what_to_remove(cache, artifact, damage):
    damage(artifact.folder / "manifest.json")
    for look in (lambda: cache.find("runs", KEY), lambda: list(cache.entries())):
        with pytest.raises(CacheError, match=r"manifest\.json: .*remove") as caught:
            look()
        assert "\n" not in str(caught.value)


def test_a_manifest_of_another_format_is_not_taken_for_ours(cache, artifact):
    change_manifest(artifact, lambda manifest: manifest.update(format=99))
    with pytest.raises(CacheError, match="another version of optical"):
        cache.find("runs", KEY)


def test_the_whole_key_decides_not_the_digits_in_the_name(cache, artifact):
    change_manifest(artifact, lambda manifest: manifest.update(key=KEY.short + "0" * 52))
    assert cache.find("runs", KEY) is None


def test_links_are_not_followed(cache, artifact, tmp_path):
    outside = artifact.folder.rename(tmp_path / artifact.folder.name)
    artifact.folder.symlink_to(outside)
    assert cache.find("runs", KEY) is None
    assert list(cache.entries()) == []


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

    monkeypatch.setattr("optical_cli.cache.store.write_text", full)
    with pytest.raises(CacheError, match="No space left"):
        cache.make("runs", "x", KEY, write_two)
    assert list((cache.root / "runs").iterdir()) == []


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
