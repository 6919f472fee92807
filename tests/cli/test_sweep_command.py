import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from optical_cli.cli.sweep_command import standing_lines
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.planned import Left
from optical_cli.sweep.sweep import Standing


@pytest.fixture
def sweep(optical, own_lab, own_swept):
    def run(*options):
        return optical("sweep", own_lab.experiment, "--cache-dir", own_swept, "--device", "cpu", *options)

    return run


def events_of(text):
    return [json.loads(line) for line in text.splitlines()]


def test_events_on_stdout_are_the_whole_of_it_and_end_with_what_json_prints(sweep):
    wanted = json.loads(sweep("--json").out)
    said = sweep("--events", "-")
    assert said.code == 0
    events = events_of(said.out)
    assert [events[0]["event"], events[-1]["event"]] == ["begin", "end"]
    assert {name: events[-1][name] for name in wanted} == wanted
    cells = [event for event in events if event["event"] == "cell"]
    assert [{name: cell[name] for name in wanted["results"][0]} for cell in cells] == wanted["results"]
    assert [event["reg"] for event in cells if event["pair"] == "sw-sw"] == [None, 0, 0.1, "inf"]
    stands = [event for event in events if event["event"] == "standing"]
    assert [event["done"] for event in stands] == list(range(13))
    assert stands[0]["running"] == {"pair": "sw-sw", "objective": "none", "reg": None, "seed": 13}
    assert stands[-1]["running"] is None


def test_events_are_appended_to_a_file_and_tell_of_work_and_of_failures(own_lab, own_swept, optical, tmp_path):
    experiment = own_lab.write(
        own_lab.settings(
            transport={"reg": [0.01, "inf"], "max_iterations": 1, "threshold": 1e-9}, baselines=["none"], name="hard"
        )
    )
    file = tmp_path / "events.jsonl"
    for _ in range(2):
        said = optical("sweep", experiment, "--cache-dir", own_swept, "--device", "cpu", "--events", file)
        assert said.code == 1
        assert "sw-sw" in said.out
    events = events_of(file.read_text())
    assert [event["event"] for event in events].count("begin") == 2
    first = events[: [event["event"] for event in events].index("end") + 1]
    assert any(e["event"] == "task" and (e["unit"], e["done"]) == ("steps", 0) and e["total"] for e in first)
    failed = [event for event in first if event["event"] == "cell" and event["failure"]]
    assert [(event["pair"], event["reg"]) for event in failed] == [(p, 0.01) for p in ("sw-sw", "sw-en", "en-sw")]
    stands = [event for event in first if event["event"] == "standing"]
    assert (stands[0]["artifacts_left"] > 0, stands[-1]["failed"], stands[-1]["done"]) == (True, 3, 6)
    assert stands[-1]["artifacts_left"] == 0
    assert stands[0]["seconds_unknown_for"] == 0  # the cache has seen every stage


@pytest.mark.parametrize("option", ["--json", "--print-commands"])
def test_stdout_is_not_shared(sweep, option):
    said = sweep("--events", "-", option)
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert f"leave out {option}" in said.err


def test_events_that_cannot_be_written_are_one_line(sweep, tmp_path):
    said = sweep("--events", tmp_path)
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
    assert f"--events {tmp_path}: cannot be written" in said.err


def test_bad_input_leaves_no_file_of_events(optical, tmp_path):
    assert optical("sweep", tmp_path / "absent.yaml", "--events", tmp_path / "events").code == 2
    assert not (tmp_path / "events").exists()


def test_a_standing_is_said_in_two_lines():
    standing = Standing(20, 9, 1, Cell("yo-yo\x1b", "transport", 0.1, 13), Left(7, 600.0, 0))
    first, second = standing_lines(standing, so_far=300.0, since=60.0)
    assert first == f"{'━' * 10}{'╌' * 10} 9 of 20 cells done · 1 failed · 5 min · about 9 min left"
    assert second == "now yo-yo\\x1b  reg 0.1  seed 13"
    assert standing_lines(standing, 300.0, since=6000.0)[0].endswith("about 0 s left")
    unknown = Standing(20, 20, 0, None, Left(0, 0.0, 0))
    assert standing_lines(unknown, 9.0, 0.0) == [f"{'━' * 20} 20 of 20 cells done · 9 s"]
    assert "more than 10 min left" in standing_lines(Standing(2, 0, 0, standing.running, Left(7, 600.0, 1)), 1, 0)[0]
    assert "time left unknown" in standing_lines(Standing(2, 0, 0, standing.running, Left(7, 0.0, 7)), 1, 0)[0]


def test_on_a_terminal_the_sweep_is_live_and_stdout_carries_the_table_alone(lab, swept):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    code = "from optical_cli.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sweep", str(lab.experiment), "--cache-dir", str(swept)],
        stdout=subprocess.PIPE, stderr=theirs, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "12 of 12 cells done" in text
    assert text.count("(1 topic without judgements left out)") == 12
    assert "\x1b" not in out
    assert re.search(r"^ reg 0 ", out, re.MULTILINE)


def test_a_reader_of_events_that_goes_does_not_stop_the_sweep(spawn, own_lab, own_swept):
    (scores,) = own_swept.glob("scores/sw-en-full-reg0.1-*")
    shutil.rmtree(scores)
    process = spawn("sweep", own_lab.experiment, "--cache-dir", own_swept, "--device", "cpu", "--events", "-")
    assert json.loads(process.stdout.readline())["event"] == "begin"
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(timeout=60) == 0, said
    assert said.count("--events -: cannot be written any more (Broken pipe); the sweep continues without events") == 1
    assert "Exception ignored" not in said
    assert (scores / "manifest.json").exists()
