"""The pages of the reference say what the code does."""

import json
import re
from pathlib import Path

import commands_page
import pytest
import settings_page

from optical_cli.cache.artifact import KINDS
from optical_cli.cli import edge
from optical_cli.errors import ClusterError, ConfigError, NotConverged, OutOfTime

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
ONLY_SOMETIMES = {"search", "index", "made", "means"}
"""Fields of the page that a record has where they apply."""


def test_every_setting_is_described():
    found = list(settings_page.settings())
    assert len(found) > 80
    assert [one.key for one in found if not one.description] == []


def test_a_setting_is_shown_with_type_range_default_and_choices():
    by_key = {one.key: one for one in settings_page.settings()}
    assert by_key["teacher.model"].kind == "text; required"
    assert (by_key["training.warmup"].kind, by_key["training.warmup"].default) == (
        "number, at least 0 and below 1",
        "0.1",
    )
    assert by_key["training.early_stopping.measure"].kind == "`p@1` or `transport_cost`"
    assert by_key["transport.reg"].default == "[0, 0.002, 0.005, 0.01, 0.02, 0.05, inf]"
    assert by_key["transport.anneal.from"].kind == "number, at least 0.001"
    assert by_key["pairs.Q-D.corpus"].choices["full"] == "the whole collection"
    assert by_key["training.recompute"].speed_only
    assert not by_key["training.epochs"].speed_only


def test_every_command_and_option_is_shown():
    page = commands_page.page()
    for _, name, command in commands_page.commands():
        assert f"### `{name}`" in page
        for parameter in command.params:
            shown = max(parameter.opts, key=len) if parameter.opts[0].startswith("-") else ""
            assert re.search(rf"^:::{{option}} .*{re.escape(shown)}", page, re.MULTILINE), (name, shown)


def test_every_folder_of_artifacts_is_listed(swept):
    page = (REFERENCE / "cache-folders.md").read_text()
    for folder in (*KINDS, *(path.name for path in swept.iterdir() if path.is_dir())):
        assert f"| `{folder}/` |" in page


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("x"), 2), (NotConverged("x"), 1), (ClusterError("x"), 1), (OutOfTime("x"), 75)]
)
def test_the_exit_codes_are_those_of_the_page(error, code):
    assert edge._tell(error) == code
    assert f"\n| {code} | " in (REFERENCE / "exit-codes.md").read_text()


def fields(heading):
    """The fields in the first column of a table of json.md."""
    section = (REFERENCE / "json.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {
        name for line in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(.+?)`", line)
    }


@pytest.fixture
def printed(optical, swept, tmp_path, monkeypatch):
    """What a command prints with --json."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return json.loads(optical(*arguments, "--cache-dir", swept, "--json").out)

    return run


def test_json_has_the_fields_of_the_page(printed, lab):
    mini = lab.experiment
    swept = printed("sweep", mini)
    assert set(swept) == fields("Sweep")
    assert set(swept["results"][0]) == fields("Cell") - ONLY_SOMETIMES | {"means"}
    assert set(printed("evaluate", mini, "--pair", "sw-sw", "--reg", "0.1")) == fields("Artifact")
    assert set(printed("plan", mini)[0]) == fields("Plan")
    assert set(printed("status", mini)) == fields("Status")
    assert set(printed("verify", mini)[0]) == fields("Verify")
    assert set(printed("why", "evaluate", mini, "--pair", "sw-sw", "--reg", "0.2")[0]) == fields("Why")


def test_json_of_reports_has_the_fields_of_the_page(printed, lab):
    report = printed("report", lab.experiment)
    assert set(report) == fields("Report")
    assert set(report["comparisons"][0]) == fields("Comparison")
    duel = printed("compare", lab.experiment, "0", "inf", "--pair", "sw-en")[0]
    assert set(duel) == fields("Comparison") | {"mean", "reference_mean", "topics"}


def test_json_of_inputs_has_the_fields_of_the_page(printed, lab):
    assert set(printed("fetch", lab.experiment)[0]) == fields("Fetch")
    aligned = printed("align", lab.experiment, "--reg", "0.1", "--count", "1", "--pair", "sw-sw")
    assert set(aligned["sentences"][0]) == fields("Alignments")


def test_events_have_the_fields_of_the_page(optical, lab, swept, tmp_path):
    file = tmp_path / "events.jsonl"
    optical("sweep", lab.experiment, "--cache-dir", swept, "--events", file)
    page = (REFERENCE / "json.md").read_text()
    for event in map(json.loads, file.read_text().splitlines()):
        row = re.search(rf"^\| `{event['event']}` \| (.+) \|$", page, re.MULTILINE)
        assert row, event
        if event["event"] not in ("cell", "end"):
            assert event.keys() - {"event", "time"} == set(re.findall(r"`(\w+)`", row[1]))
