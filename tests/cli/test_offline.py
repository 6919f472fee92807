"""Offline, what is missing is said at once, in one line, before anything is computed or downloaded."""

import os

import pytest

ABSENT = ("--set", "student.init=acme/absent", "--set", "bitext.sw={dataset: acme/opus, config: en-sw}")


@pytest.fixture
def missing(monkeypatch, tmp_path):
    """Caches of the hub that are empty; what would have been downloaded."""
    asked = []

    def download(*what, **_options):
        asked.append(what[0])
        raise ConnectionError("no network in tests")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("datasets.load_dataset", download)
    for name in ("OPTICAL_OFFLINE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)  # set and taken away: what a command sets is undone, too
    return asked


@pytest.mark.parametrize(
    "command",
    [
        ["plan"], ["sweep"], ["distill", "--reg", "0.1"], ["evaluate", "--reg", "0.1", "--pair", "sw-sw"], ["status"],
        ["report"], ["align"], ["why", "distill", "--reg", "0.1"], ["cache", "prune"],
        ["export", "--reg", "0.1", "-o", "out"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_missing_is_one_line_with_the_command_that_brings_it(
    optical, lab, tmp_path, leftovers, missing, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    words = 2 if command[0] in ("why", "cache") else 1
    said = optical(
        *command[:words], lab.experiment, *command[words:], *ABSENT, "--offline", "--cache-dir", tmp_path / "cache"
    )
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "error: offline, and not on this machine: acme/absent (student.init), acme/opus en-sw (bitext.sw); "
        f"run `optical fetch {lab.experiment} --set student.init=acme/absent "
        "--set 'bitext.sw={dataset: acme/opus, config: en-sw}'` on a machine with network access"
    ]
    assert missing == []
    assert leftovers(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("variables", "offline"),
    [
        ({}, False),
        ({"OPTICAL_OFFLINE": "1"}, True),
        ({"HF_HUB_OFFLINE": "TRUE"}, True),
        ({"HF_HUB_OFFLINE": "0"}, False),
        ({"HF_HUB_OFFLINE": ""}, False),
    ],
)
def test_the_environment_is_asked(optical, lab, tmp_path, missing, monkeypatch, variables, offline):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = optical("sweep", lab.experiment, "--set", "student.init=acme/absent", "--cache-dir", tmp_path / "cache")
    assert said.code == 2
    assert ("offline, and not on this machine: acme/absent (student.init)" in said.err) == offline
    assert missing == ([] if offline else ["acme/absent"])


def test_what_is_here_is_used_and_the_libraries_are_told(optical, lab, swept, missing):
    said = optical("sweep", lab.experiment, "--offline", "--cache-dir", swept)
    assert said.code == 0, said.err
    assert said.err.splitlines()[-2] == "every artifact was in the cache; nothing was computed"
    assert (os.environ["HF_HUB_OFFLINE"], os.environ["HF_DATASETS_OFFLINE"]) == ("1", "1")
    assert missing == []


def test_commands_of_an_offline_sweep_are_offline(optical, lab, tmp_path, missing):
    said = optical("sweep", lab.experiment, "--offline", "--print-commands", "--cache-dir", tmp_path / "cache")
    assert all(line.endswith(" --offline") for line in said.out.splitlines())
    assert said.out.count("\n") == 12
    assert missing == []
