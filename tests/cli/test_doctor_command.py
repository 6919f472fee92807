import json

import pytest


@pytest.fixture
def examined(optical, tmp_path):
    """`optical doctor` on an experiment: exit code and findings by what was looked at."""

    def run(*arguments):
        said = optical("doctor", *arguments, "--json", "--cache-dir", tmp_path / "cache")
        record = json.loads(said.out)
        assert said.err == ""
        assert sum(record["counts"].values()) == len(record["findings"])
        return said.code, {finding["what"]: finding for finding in record["findings"]}

    return run


def test_a_machine_that_can_and_every_input_of_an_experiment(lab, examined, tmp_path):
    code, findings = examined(lab.experiment)
    assert code == 0, findings
    assert not [finding for finding in findings.values() if finding["state"] == "fault"]
    assert f"{lab.teacher}, " in findings["teacher.model"]["found"]
    assert findings["pairs.sw-en.collection"]["found"].startswith(f"./data: {lab.data / 'docs.en.jsonl'}, ")
    assert "offline by HF_HUB_OFFLINE=1" in findings["network"]["found"]
    assert {"python", "packages", "processor", "threads", "memory", "cache", "compiled code", "transport"} <= set(
        findings
    )
    assert not (tmp_path / "cache").exists()


def test_inputs_that_cannot_be_used_and_such_as_can_be_fetched(own_lab, examined, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    own_lab.bitext.unlink()
    code, findings = examined(own_lab.experiment, "--set", "teacher.model=acme/absent")
    assert code == 1
    assert findings["bitext.sw"]["state"] == "fault"
    assert "does not exist" in findings["bitext.sw"]["found"]
    assert findings["teacher.model"]["state"] == "warning"
    assert findings["teacher.model"]["mend"] == f"`optical fetch {own_lab.experiment}` brings it"


def test_what_is_broken_keeps_nothing_else_from_being_looked_at(examined, monkeypatch):
    def broken():
        raise ImportError("libgomp.so.1: cannot open\nshared object file")

    monkeypatch.setattr("optical_cli.doctor.machine.look_at_machine", broken)
    code, findings = examined()
    assert code == 1
    assert findings["machine"]["found"] == (
        "cannot be looked at (ImportError: libgomp.so.1: cannot open shared object file)"
    )
    assert findings["search bfloat16"]["state"] == "ok"


def test_a_finding_is_a_line_and_what_to_do_stands_below(optical, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    said = optical("doctor", lab.experiment, "--cache-dir", tmp_path / "cache")
    lines = said.out.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("! processor: "))
    assert lines[number + 1].startswith("    keep it for figures ")
    assert lines[-1].startswith(f"{len(lines) - 2} findings; faults: 0, warnings: ")


def test_a_wrong_experiment_is_bad_input(optical, tmp_path):
    said = optical("doctor", tmp_path / "absent.yaml")
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)
