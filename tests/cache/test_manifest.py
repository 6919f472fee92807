import json

import pytest

from optical_cli.cache.keys import key_of
from optical_cli.cache.manifest import read_manifest, write_manifest
from optical_cli.errors import CacheError

MATERIAL = {"stage": "test", "reg": 1e-05, "of": "Yorùbá"}
CONTENT = {
    "format": 1,
    "kind": "runs",
    "label": "x",
    "key": key_of(MATERIAL).digest,
    "material": MATERIAL,
    "files": {"a.txt": {"size": 5, "sha256": "0" * 64}},
    "health": {"worst": float("inf"), "none": float("nan")},
    "seconds": 1e-05,
    "created": "2026-01-01T00:00:00+00:00",
    "versions": {"python": "3.11"},
    "git": None,
    "host": {"name": "here"},
}


@pytest.fixture
def path(tmp_path):
    write_manifest(tmp_path, CONTENT)
    return tmp_path / "manifest.json"


def test_a_written_manifest_is_read_back(path):
    assert str(read_manifest(path.parent)) == str(CONTENT)  # nan is not equal to itself
    assert read_manifest(path.parent.parent) is None


def test_a_flipped_bit_anywhere_in_a_manifest_is_found(path):
    text = path.read_bytes()
    unseen = []
    for place in range(0, 8 * len(text), 7):  # one bit of every byte
        flipped = bytearray(text)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            read_manifest(path.parent)
        except CacheError:
            continue
        unseen.append((place, bytes(flipped[place // 8 - 10 : place // 8 + 10])))
    assert unseen == []


def test_a_truncated_manifest_is_found(path):
    text = path.read_bytes()
    for length in (*range(0, len(text), 7), len(text) - 1):
        path.write_bytes(text[:length])
        with pytest.raises(CacheError):
            read_manifest(path.parent)


def test_an_early_manifest_without_a_digest_is_read_and_its_key_checked(path):
    path.write_text(json.dumps(CONTENT, indent=2) + "\n")
    assert read_manifest(path.parent)["label"] == "x"
    path.write_text(json.dumps({**CONTENT, "material": {**MATERIAL, "reg": 0.1}}, indent=2) + "\n")
    with pytest.raises(CacheError, match="its key does not match its material"):
        read_manifest(path.parent)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": 1, "files": null}', "\ufeff{}", "\0"])
def test_a_file_that_is_not_a_manifest_is_refused_in_one_line(path, text):
    path.write_text(text)
    with pytest.raises(CacheError, match=r"manifest\.json: not a manifest") as caught:
        read_manifest(path.parent)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_a_folder_in_place_of_a_manifest_is_refused_in_one_line(path):
    path.unlink()
    path.mkdir()
    with pytest.raises(CacheError, match="cannot be read"):
        read_manifest(path.parent)
