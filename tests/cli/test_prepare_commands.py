import json
import shutil
from fnmatch import fnmatch
from pathlib import Path

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
    assert "off (HF_HUB_OFFLINE=1" in findings["network"]["found"]
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
    assert findings["teacher.model"]["mend"] == f"run `optical fetch {own_lab.experiment}`"


def test_the_data_of_an_experiment_are_looked_at_as_a_plan_does(own_lab, examined):
    with own_lab.bitext.open("a", encoding="utf-8") as file:
        file.write("Q7 mends the boat\tAmina anatengeneza\n" * 2)
    with (own_lab.data / "qrels.trec").open("a", encoding="utf-8") as file:
        file.write("q1 0 GONE1 1\n")
    code, findings = examined(own_lab.experiment)
    assert code == 0
    assert findings["bitext.sw: data"]["found"].startswith("32 rows, 31 kept, 25 to train on, 6 held out; ")
    assert "no header; " in findings["bitext.sw: data"]["found"]
    assert "0.0% of the tokens of the translations are unknown" in findings["bitext.sw: data"]["found"]
    assert findings["bitext.sw: topics"]["state"] == "warning"
    assert "of 8 topics are sentences of it" in findings["bitext.sw: topics"]["found"]
    assert findings["pairs.sw-en: data"]["found"].startswith("3 of 4 topics judged; no header; ")
    lacking = findings["pairs.sw-en: judged documents"]
    assert (lacking["state"], lacking["mend"]) == ("warning", "no run can find them, which lowers every figure")
    assert "1 of 6 documents that ./data judges are not in ./data, such as 'GONE1'" in lacking["found"]


def test_data_that_cannot_be_used_are_a_fault_of_the_doctor_once(own_lab, examined):
    (own_lab.data / "qrels.trec").write_text("q9 0 d1 1\n", encoding="utf-8")
    code, findings = examined(own_lab.experiment)
    assert code == 1
    faults = [what for what, finding in findings.items() if finding["state"] == "fault"]
    assert faults == [f"pairs.{pair}: judgements" for pair in ("sw-sw", "sw-en", "en-sw")]


def test_what_is_broken_keeps_nothing_else_from_being_looked_at(examined, monkeypatch):
    def broken():
        raise ImportError("libgomp.so.1: cannot open\nshared object file")

    monkeypatch.setattr("optical_cli.doctor.machine.look_at_machine", broken)
    code, findings = examined()
    assert code == 1
    assert findings["machine"]["found"] == (
        "the check failed (ImportError: libgomp.so.1: cannot open shared object file)"
    )
    assert findings["search bfloat16"]["state"] == "ok"


def test_a_finding_is_a_line_and_what_to_do_stands_below(optical, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    said = optical("doctor", lab.experiment, "--cache-dir", tmp_path / "cache")
    lines = said.out.splitlines()
    number = next(number for number, line in enumerate(lines) if line.startswith("! processor: "))
    assert lines[number + 1].startswith("    unset it for speed, ")
    checks = [line for line in lines if line[0] in "✓!✗"]
    assert lines[-1] == f"{len(checks)} checks: 0 faults, {sum(line[0] == '!' for line in checks)} warnings"


def test_a_wrong_experiment_is_bad_input(optical, tmp_path):
    said = optical("doctor", tmp_path / "absent.yaml")
    assert (said.code, said.out, len(said.errors)) == (2, "", 1)


COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def hub(lab, tmp_path, monkeypatch):
    """An empty cache of huggingface_hub, and a hub that has one model, `acme/small`; what it was asked for."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    asked = []

    def download(model_id, *, revision, allow_patterns, ignore_patterns):
        asked.append((model_id, revision))
        if model_id != "acme/small":
            raise ConnectionError(f"no {model_id}\nat all")
        repo = cache / "models--acme--small"
        folder = repo / "snapshots" / (revision or COMMIT)
        for file in (*lab.student.iterdir(), Path(shutil.copy(lab.bitext, tmp_path / "modeling.py")),
                     Path(shutil.copy(lab.bitext, tmp_path / "pytorch_model.bin"))):  # fmt: skip
            kept = any(fnmatch(file.name, pattern) for pattern in allow_patterns)
            if kept and not any(fnmatch(file.name, pattern) for pattern in ignore_patterns):
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, folder)
        if revision is None:
            (repo / "refs").mkdir(exist_ok=True)
            (repo / "refs" / "main").write_text(COMMIT)
        for left in repo.glob("blobs/*.incomplete"):
            left.unlink()
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return cache, asked


@pytest.fixture
def fetched(optical, tmp_path):
    """`optical fetch --json`: exit code, records by input, lines on stderr."""

    def run(*arguments):
        said = optical("fetch", *arguments, "--json", "--cache-dir", tmp_path / "cache")
        return said.code, {record["input"]: record for record in json.loads(said.out)}, said.err.splitlines()

    return run


def test_what_is_here_is_shown_with_its_digest_and_its_bytes(lab, fetched, optical, tmp_path, memo_of):
    code, records, said = fetched(lab.experiment)
    assert (code, said) == (0, [])
    assert {record["state"] for record in records.values()} == {"here"}
    assert records["bitext.sw"]["bytes"] == lab.bitext.stat().st_size
    assert records["bitext.sw"]["path"] == str(lab.bitext)
    assert records["pairs.en-sw.qrels"]["fingerprint"] == memo_of(lab.data / "qrels.trec")
    table = optical("fetch", lab.experiment, "--cache-dir", tmp_path / "cache").out
    assert records["teacher.model"]["fingerprint"][:12] in table


@pytest.fixture
def memo_of():
    from optical_cli.cache.fingerprints import sha256_of_file

    return sha256_of_file


def test_a_model_is_downloaded_once_without_code_and_without_pickles(lab, fetched, hub):
    cache, asked = hub
    for state in ("downloaded", "here"):
        code, records, said = fetched(lab.experiment, "--set", "student.init=acme/small")
        assert code == 0
        assert (records["student.init"]["state"], records["student.init"]["revision"]) == (state, COMMIT)
        assert said == (["student.init: downloading acme/small"] if state == "downloaded" else [])
    assert asked == [("acme/small", None)]
    names = {path.name for path in (cache / "models--acme--small" / "snapshots" / COMMIT).iterdir()}
    assert "model.safetensors" in names
    assert not {"modeling.py", "pytorch_model.bin"} & names


def test_a_commit_is_a_model_of_its_own(lab, fetched, hub):
    cache, asked = hub
    code, records, _ = fetched(lab.experiment, "--set", f"student.init=acme/small@{OTHER}")
    assert (code, records["student.init"]["revision"]) == (0, OTHER)
    assert asked == [("acme/small", OTHER)]
    assert not (cache / "models--acme--small" / "refs").exists()
    _, records, _ = fetched(lab.experiment, "--set", "student.init=acme/small")
    assert (records["student.init"]["state"], records["student.init"]["revision"]) == ("downloaded", COMMIT)


def test_a_download_that_was_stopped_is_gone_on_with(lab, fetched, hub):
    cache, asked = hub
    fetched(lab.experiment, "--set", "student.init=acme/small")
    (weights,) = (cache / "models--acme--small").glob("snapshots/*/model.safetensors")
    weights.unlink()
    code, records, _ = fetched(lab.experiment, "--set", "student.init=acme/small")
    assert (code, records["student.init"]["state"]) == (0, "downloaded")
    assert len(asked) == 2


@pytest.mark.usefixtures("hub")
def test_what_cannot_be_had_stops_nothing_else(own_lab, fetched):
    own_lab.bitext.unlink()
    code, records, said = fetched(
        own_lab.experiment, "--set", "teacher.model=acme/absent", "--set", "student.init=acme/small"
    )
    assert code == 1
    assert records["teacher.model"]["state"] == records["bitext.sw"]["state"] == "not to be had"
    assert records["teacher.model"]["path"] is None
    assert records["student.init"]["state"] == "downloaded"
    assert records["pairs.sw-sw.topics"]["state"] == "here"
    faults = [line for line in said if line.startswith("error: ")]
    assert len(faults) == 2
    assert "acme/absent is not a folder under" in faults[0]
    assert "bitext.tsv does not exist" in faults[1]


def test_a_dataset_is_downloaded_once_and_named_by_its_commit(lab, fetched, tmp_path, monkeypatch):
    from datasets import Dataset

    asked = []
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))

    def download(dataset_id, config, *, split, revision, cache_dir):
        asked.append((dataset_id, config, split, revision))
        folder = Path(cache_dir) / "acme___opus" / config / "0.0.0" / COMMIT
        pairs = [line.split("\t") for line in lab.bitext.read_text().splitlines()]
        Dataset.from_list([{"en": en, "sw": sw} for en, sw in pairs]).save_to_disk(tmp_path / "saved")
        folder.mkdir(parents=True)
        (tmp_path / "saved" / "data-00000-of-00001.arrow").rename(folder / "opus-train.arrow")
        (folder / "dataset_info.json").write_text('{"splits": {"train": {}}}')

    monkeypatch.setattr("datasets.load_dataset", download)
    for state in ("downloaded", "here"):
        code, records, _ = fetched(
            lab.experiment, "--set", "bitext.sw={dataset: acme/opus, config: en-sw, held_out: 6}"
        )
        record = records["bitext.sw"]
        assert (code, record["state"], record["revision"]) == (0, state, COMMIT)
        assert record["source"] == "acme/opus en-sw"
        assert record["bytes"] > 0
    assert asked == [("acme/opus", "en-sw", "train", None)]
