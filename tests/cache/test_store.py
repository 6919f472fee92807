import pytest

from optical_cli.cache.keys import Key, key_of
from optical_cli.cache.store import Cache
from optical_cli.errors import CacheError
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


def test_what_a_process_left_that_was_killed_just_after_it_had_finished_is_cleared_away(cache, artifact):
    unfinished = cache.unfinished("runs", KEY)
    unfinished.mkdir(parents=True)
    (cache.root / "making").mkdir(exist_ok=True)
    note = cache.root / "making" / f"{unfinished.name}.json"
    note.touch()
    assert cache.make("runs", "sw sw/reg 0.5", KEY, write_two) == (artifact, False)
    assert not unfinished.exists()
    assert not note.exists()


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
