import json

import pytest

from optical_cli.cache.keys import key_of
from optical_cli.errors import CacheError
from tests.cache.builds import KEY, write_two


def test_a_truncated_file_is_found_on_use_with_a_remedy(cache, artifact):
    (artifact.folder / "a.txt").write_text("alph")
    with pytest.raises(
        CacheError, match=rf"a\.txt: expected 5 bytes, found 4; run `optical cache remove {artifact.folder.name}`"
    ):
        cache.find("runs", KEY)
    with pytest.raises(CacheError, match="damaged artifact"):
        cache.make("runs", "x", KEY, write_two)


def test_a_missing_file_is_found_on_use(cache, artifact):
    (artifact.folder / "a.txt").unlink()
    with pytest.raises(CacheError, match=r"a\.txt: missing"):
        cache.find("runs", KEY)


def test_flipped_bits_are_found_in_each_file(cache, artifact):
    (artifact.folder / "a.txt").write_text("alphb")
    (artifact.folder / "inner" / "b.bin").write_bytes(b"\0" * 9 + b"\1")
    assert cache.find("runs", KEY) is not None
    faults = artifact.faults()
    assert [fault.split(": ")[0] for fault in faults] == [
        str(artifact.folder / name) for name in ("a.txt", "inner/b.bin")
    ]
    assert all("SHA-256" in fault for fault in faults)


def test_a_flipped_bit_in_scores_is_found_on_use(cache):
    artifact, _ = cache.make("scores", "x", KEY, write_two)
    (artifact.folder / "a.txt").write_text("alphb")
    with pytest.raises(CacheError, match=r"a\.txt: its content is not what was written"):
        cache.find("scores", KEY)


def test_a_file_that_cannot_be_read_is_a_fault_like_others(artifact, monkeypatch):
    def broken(_path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("optical_cli.cache.manifest.sha256_of_file", broken)
    assert [fault.split(": ")[1] for fault in artifact.faults()] == ["cannot be read (Input/output error)"] * 2


def test_a_link_in_the_place_of_a_file_or_folder_is_damage(cache, artifact, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (artifact.folder / "a.txt").rename(outside / "a.txt")
    (artifact.folder / "a.txt").symlink_to(outside / "a.txt")
    assert artifact.faults() == [f"{artifact.folder / 'a.txt'}: expected a file, found a link"]
    (artifact.folder / "inner").rename(outside / "inner")
    (artifact.folder / "inner").symlink_to(outside / "inner")
    assert f"{artifact.folder / 'inner'}: expected a folder, found a link" in artifact.faults()
    with pytest.raises(CacheError, match="found a link"):
        cache.find("runs", KEY)
    cache.remove(artifact)
    assert (outside / "a.txt").exists()
    assert (outside / "inner" / "b.bin").exists()


def test_a_surplus_file_is_named(artifact):
    (artifact.folder / "inner" / "adapter_config.json").write_text("{}")
    (fault,) = artifact.faults()
    assert fault == f"{artifact.folder}/inner/adapter_config.json: was not written with the artifact"


def test_an_artifact_in_a_wrong_folder_is_named(cache, artifact):
    (cache.root / "scores").mkdir()
    moved = artifact.folder.rename(cache.root / "scores" / f"x-{'0' * 12}")
    (entry,) = cache.entries()
    faults = entry.faults()
    assert len(faults) == 2
    assert f"{moved}: its name does not end with the key" in faults[0]
    assert f"{moved}: is in scores/, but belongs in runs/" in faults[1]


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
def test_a_damaged_manifest_is_reported_with_a_remedy_and_hides_no_other_artifact(cache, artifact, damage):
    other, _ = cache.make("runs", "other", key_of({"stage": "test"}), write_two)
    damage(artifact.folder / "manifest.json")
    with pytest.raises(CacheError, match=rf"manifest\.json: .*`optical cache remove {artifact.folder.name}`") as caught:
        cache.find("runs", KEY)
    assert "\n" not in str(caught.value)
    assert list(cache.entries()) == [other]
    (damaged,) = (entry for entry in cache.all_entries() if entry != other)
    assert (damaged.kind, damaged.folder) == ("runs", artifact.folder)
    assert damaged.faults() == [damaged.reason]
    cache.remove(damaged)
    assert cache.make("runs", "sw sw/reg 0.5", KEY, write_two)[1]


def test_a_manifest_of_another_format_is_refused(cache, artifact):
    change_manifest(artifact, lambda manifest: manifest.update(format=99))
    with pytest.raises(CacheError, match="another version of optical"):
        cache.find("runs", KEY)
