"""`optical cache` over a cache in which something is damaged."""

import json

import pytest

from optical_cli.cache.keys import key_of
from optical_cli.cache.store import Cache

KEYS = {name: key_of({"stage": "test", "name": name}) for name in ("first", "second", "third")}


def write_one(folder):
    (folder / "file").write_text("content")
    return {}


@pytest.fixture
def cache(tmp_path):
    """Three runs and the scores of the first."""
    cache = Cache(tmp_path / "cache")
    for name, key in KEYS.items():
        cache.make("runs", name, key, write_one)
    cache.make("scores", "of-first", key_of({"stage": "test", "run": KEYS["first"].digest}), write_one)
    return cache


@pytest.fixture
def run(optical, cache):
    """A command, with lines on stdout."""

    def run(command, *options):
        said = optical("cache", command, *options, "--cache-dir", cache.root)
        assert "Traceback" not in said.err
        return said

    return run


def folder(cache, name):
    return cache.root / "runs" / f"{name}-{KEYS[name].short}"


@pytest.fixture
def damaged(cache):
    """Two of them are, in two ways: a manifest that is none, and a flipped bit."""
    (folder(cache, "first") / "manifest.json").write_text("{")
    (folder(cache, "second") / "file").write_text("contenu")
    return cache


def test_list_shows_the_damaged_beside_the_others(run, damaged):
    said = run("list")
    assert said.code == 0
    assert {name: " damaged" in line for line in said.out.splitlines() for name in KEYS if f" {name}-" in line} == {
        "first": True, "second": False, "third": False,
    }  # fmt: skip
    assert "not counted: 1 damaged artifact; `optical cache verify` describes the damage" in said.err
    (record,) = (record for record in json.loads(run("list", "--json").out) if "damaged" in record)
    assert record["path"] == str(folder(damaged, "first"))
    assert "not a manifest" in record["damaged"]


def test_verify_names_every_damage_what_was_made_from_it_and_the_way_out(run, damaged):
    said = run("verify")
    assert said.code == 1
    first, second = said.out.splitlines()
    assert first.startswith(f"{folder(damaged, 'first')}/manifest.json: not a manifest")
    assert second == f"{folder(damaged, 'second')}/file: its content is not what was written (SHA-256 differs)"
    assert "4 artifacts verified, 2 damaged" in said.err
    assert "made from damaged artifacts, perhaps after the damage: of-first-" in said.err
    assert "`optical cache verify --remove-damaged`" in said.err
    record = json.loads(run("verify", "--json").out)
    assert (record["verified"], len(record["damaged"]), len(record["made_from_them"])) == (4, 2, 1)
    assert run("verify", KEYS["third"].short).code == 0


def test_verify_removes_the_damaged_when_it_is_asked_to(run, damaged):
    said = run("verify", "--remove-damaged")
    assert said.code == 0
    assert len(said.out.splitlines()) == 2
    assert "2 removed; the next run that needs them makes them again" in said.err
    assert [entry.folder for entry in damaged.all_entries("runs")] == [folder(damaged, "third")]
    assert run("verify").code == 0
    assert json.loads(run("verify", "--remove-damaged", "--json").out)["removed"] == []


def test_remove_takes_a_damaged_one_by_name_or_by_digits(run, damaged):
    name = folder(damaged, "first").name
    assert run("remove", name).out == f"{folder(damaged, 'first')}\n"
    (folder(damaged, "second") / "manifest.json").write_text("{")
    assert run("remove", KEYS["second"].short).code == 0
    assert [entry.folder for entry in damaged.all_entries("runs")] == [folder(damaged, "third")]


def test_prune_leaves_what_cannot_say_what_it_is(run, damaged):
    said = run("prune", "tiny")
    assert said.code == 0
    assert [entry.folder for entry in damaged.all_entries()] == [folder(damaged, "first")]
    assert "3 artifacts removed" in said.err
    assert "not counted: 1 damaged artifact; `optical cache verify` describes the damage" in said.err


def test_names_cannot_steer_the_terminal(run, cache):
    (cache.root / "runs" / f"\x1b[2J-{'0' * 12}").touch()
    for command in ("list", "verify", "remove"):
        said = run(command, *(["0" * 12] if command == "remove" else []))
        assert "\x1b" not in said.out + said.err
        assert "[2J" in said.out


@pytest.mark.parametrize("name", ["", "/"])
def test_an_empty_name_is_not_the_key_of_the_only_artifact(optical, tmp_path, name):
    cache = Cache(tmp_path / "one")
    cache.make("runs", "first", KEYS["first"], write_one)
    said = optical("cache", "remove", name, "--cache-dir", cache.root)
    assert said.code == 2
    assert "the name or key of one artifact expected, found none in" in said.err
    assert len(list(cache.all_entries())) == 1
