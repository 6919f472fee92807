import json
import math

import pytest

from bench.results import Recorder, table
from bench.timing import Paired


@pytest.fixture
def recorder(tmp_path):
    return Recorder(tmp_path / "results.jsonl", {"cpu": "a processor"})


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_ratio_is_recorded_as_a_line(recorder, tmp_path):
    paired = Paired(ours=(0.1, 0.2, 0.2), peer=(1.0, 4.0, 8.0))
    recorder.add_paired("transport/8x8/vs-peer", paired, 64, "plans/s", "a peer", reg=0.1)
    (line,) = lines(tmp_path)
    context = line.pop("context")
    sides = {"ours": 320, "peer": 16, "peer_name": "a peer"}
    assert line == {"name": "transport/8x8/vs-peer", "value": 20, "unit": "x", **sides}
    assert context.pop("cores_used_by_others") >= 0
    rounds = {"rounds": 3, "ratio_of_best": 10, "unit_of_both": "plans/s"}
    assert context == {"cpu": "a processor", **rounds, "reg": 0.1}


def test_lines_are_appended_and_nan_and_inf_become_null(recorder, tmp_path):
    recorder.add("one", 1.0, "s")
    recorder.add("two", math.inf, "s", largest={"a": [math.nan, 2.0]})
    one, two = lines(tmp_path)
    assert (one["name"], one["value"], one["ours"], one["peer"], one["peer_name"]) == ("one", 1.0, None, None, None)
    assert two["value"] is None
    assert two["context"]["largest"] == {"a": [None, 2.0]}


def test_the_table_is_markdown_and_marks_measurements_on_a_busy_machine(recorder, monkeypatch):
    recorder.add("quiet", 1234.5, "x", ours=0.5, peer=2e-7, peer_name="a peer")
    monkeypatch.setattr("bench.machine.Neighbours.cores", lambda _self: 1.2)
    recorder.add("busy", 0.25, "s")
    head, rule, quiet, busy = table(recorder.results).splitlines()
    assert len({len(row) for row in (head, rule, quiet, busy)}) == 1
    assert [cell.strip() for cell in quiet.strip("|").split("|")] == ["quiet", "1,234", "x", "0.5", "2.0e-07", "a peer"]
    assert [cell.strip() for cell in busy.strip("|").split("|")] == ["busy", "~0.25", "s", "", "", ""]
