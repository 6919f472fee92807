"""What is said of the artifacts that are still to be made."""

import json

import pytest

from optical_cli.cache.manifest import read_manifest, write_manifest
from optical_cli.encoder.setup import weight_bytes
from optical_cli.pipeline.cells import Cell, student_of
from optical_cli.plan import estimate as room
from optical_cli.plan import pace
from optical_cli.plan.estimate import cannot_fit, estimate
from optical_cli.plan.planned import plan
from optical_cli.plan.probe import Speed

NONE = Cell("sw-en", "none", None, 13)
GB = 10**9


@pytest.fixture
def estimated(lab, open_pipeline):
    """The estimates of an experiment by kind and label."""

    def found(cache, *overrides, measure=False):
        pipeline = open_pipeline(lab.experiment, cache, *overrides)
        made, _ = estimate(pipeline, plan(pipeline), measure=measure)
        return {(one.planned.step.kind, one.planned.step.label): one for one in made}

    return found


def named(found, kind, part):
    (one,) = [one for (of, label), one in found.items() if of == kind and part in label]
    return one


def test_the_size_of_an_index_is_close_to_what_it_becomes(estimated, lab, open_pipeline, tmp_path):
    index = named(estimated(tmp_path), "indexes", "en-")
    pipeline = open_pipeline(lab.experiment, tmp_path)
    made, _ = pipeline.obtain(pipeline.index(NONE))
    assert index.documents == made.manifest["health"]["documents"] == 6
    # the teacher scores no full stops, of which each document has one
    assert index.tokens == made.manifest["health"]["tokens"] + 6
    headers = 200  # of offsets.npy, and a JSON file
    assert 0 < index.disk - made.size + headers < 6 * 2 * 16 + 6 * 16 + headers
    again = estimated(tmp_path)
    assert not [one for (kind, label), one in again.items() if kind == "indexes" and label.startswith("en-")]


def test_eight_bits_are_estimated_as_the_bytes_they_take(estimated, lab, open_pipeline, tmp_path):
    index = named(estimated(tmp_path, "index.storage=int8"), "indexes", "en-")
    pipeline = open_pipeline(lab.experiment, tmp_path, "index.storage=int8")
    made, _ = pipeline.obtain(pipeline.index(NONE))
    whole = named(estimated(tmp_path), "indexes", "en-")
    saved = (32 - made.manifest["health"]["bytes_a_token"]) * index.tokens
    assert whole.disk - index.disk == saved > 0


def test_a_pool_is_estimated_by_its_size(estimated, tmp_path):
    found = estimated(tmp_path, "pairs.sw-en.corpus=pooled", "pairs.sw-en.pool_size=1")
    assert named(found, "indexes", "en-").documents == 5 + 1  # five are judged, of six
    found = estimated(tmp_path, "pairs.sw-en.corpus=pooled", "pairs.sw-en.pool_size=0")
    assert named(found, "indexes", "en-").documents == 5


def test_a_pooled_index_is_estimated_by_what_is_left_and_its_time_by_what_is_encoded(
    estimated, lab, open_pipeline, own_swept, monkeypatch
):
    monkeypatch.setattr(pace, "WORTH_LEARNING_FROM", 0.0)
    pipeline = open_pipeline(lab.experiment, own_swept)
    whole, _ = pipeline.obtain(pipeline.index(NONE))
    index = named(estimated(own_swept, "index.pool_factor=2"), "indexes", "en-")
    # a document of n tokens keeps 1 + (n - 1) // 2, and the sample has one token more a document than is scored
    assert whole.manifest["health"]["tokens"] / 2 < index.tokens < whole.manifest["health"]["tokens"] / 2 + 6
    encoded = whole.manifest["health"]["tokens"] + 6
    seconds_a_token = whole.manifest["seconds"] / whole.manifest["health"]["tokens"]
    assert index.seconds == pytest.approx(encoded * seconds_a_token)
    pooled = open_pipeline(lab.experiment, own_swept, "index.pool_factor=2")
    made, _ = pooled.obtain(pooled.index(NONE))
    assert made.manifest["health"]["tokens_before_pooling"] == whole.manifest["health"]["tokens"]
    assert index.tokens - made.manifest["health"]["tokens"] in range(7)


def test_seconds_are_those_of_an_earlier_artifact_of_the_same_model_on_this_machine(estimated, own_swept, monkeypatch):
    monkeypatch.setattr(pace, "WORTH_LEARNING_FROM", 0.0)
    other = ("pairs.sw-en.text='{text}'",)
    (folder,) = (own_swept / "indexes").glob("en-*")
    manifest = read_manifest(folder)
    manifest["seconds"] = 12.0
    write_manifest(folder, manifest)
    index = named(estimated(own_swept, *other), "indexes", "en-")
    assert index.seconds == pytest.approx(12.0 * index.tokens / manifest["health"]["tokens"])
    assert index.basis == f"indexes/{folder.name}, tokens a second"

    manifest["host"]["name"] = "another"
    write_manifest(folder, manifest)
    assert named(estimated(own_swept, *other), "indexes", "en-").basis == "artifacts like it"


def test_an_artifact_says_nothing_of_thirty_times_its_work(estimated, own_swept, monkeypatch):
    monkeypatch.setattr(pace, "WORTH_LEARNING_FROM", 0.0)
    monkeypatch.setattr(pace, "FAR", 0.5)
    assert named(estimated(own_swept, "pairs.sw-en.text='{text}'"), "indexes", "en-").basis == "artifacts like it"


class Fixed:
    """A probe that has found these speeds."""

    def __init__(self, _pipeline, *, measure):
        self.measure = measure

    def encoding(self, _model, _texts):
        return Speed(10.0, beside=1.0)

    def search(self, _texts):
        return Speed(100.0)

    def training(self, _cell, stage):
        return {"encodings": Speed(1000.0), "distill": Speed(50.0, beside=3.0)}[stage]


def test_times_are_those_of_a_probe_before_anything_is_made(estimated, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "Probe", Fixed)
    found = estimated(tmp_path)
    index, run = named(found, "indexes", "en-"), named(found, "runs", "sw-en-full-none")
    assert (index.seconds, index.basis) == (1.0 + index.tokens / 10, "a probe")
    assert run.seconds == 4 * index.tokens / 100
    encodings, student = named(found, "encodings", "sw"), named(found, "checkpoints", "reg0.1")
    assert encodings.seconds == encodings.tokens / 1000
    words = 30 * (3 + 2)  # pairs, words of a foreign sentence, and two special tokens
    assert student.seconds == pytest.approx(3.0 + words / 50)
    assert named(found, "checkpoints", "start").seconds is None


def test_what_was_made_corrects_a_probe(estimated, own_swept, monkeypatch):
    monkeypatch.setattr(room, "Probe", Fixed)
    for folder in (own_swept / "checkpoints").glob("*reg*"):
        manifest = read_manifest(folder)
        manifest["seconds"] = 2 * (3.0 + 30 * 5 / 50)
        write_manifest(folder, manifest)
    student = named(estimated(own_swept, "transport.reg=[0, 0.1, .inf, 0.3]"), "checkpoints", "reg0.3")
    assert (student.seconds, student.basis) == (pytest.approx(12.0), "a probe")


def test_a_trimmed_vocabulary_is_planned_to_save_what_it_saves(estimated, lab, open_pipeline, tmp_path):
    planned, weights = {}, {}
    for vocabulary in ("full", "trim"):
        settings = (f"student.vocabulary={vocabulary}", "student.vocabulary_floor=0", "student.init=./student")
        planned[vocabulary] = named(estimated(tmp_path, *settings), "checkpoints", "start").disk
        pipeline = open_pipeline(lab.experiment, tmp_path, *settings)
        made, _ = pipeline.obtain(pipeline.start(student_of(pipeline.experiment, "sw-en")))
        weights[vocabulary] = weight_bytes(made.folder)
    saved = weights["full"] - weights["trim"]
    assert saved > 0
    assert planned["full"] - planned["trim"] == pytest.approx(saved, abs=200)  # headers of the files differ


def test_a_search_that_is_approximate_needs_its_structure(estimated, tmp_path):
    found = estimated(tmp_path, "retrieval.engine=approximate", "retrieval.approximate.code_bytes=4")
    run, structure = named(found, "runs", "sw-en-full-approximate-none"), named(found, "quantized", "en-")
    exact = named(estimated(tmp_path), "runs", "sw-en-full-none")
    assert run.memory - exact.memory == structure.disk > 0


def test_the_memory_of_an_index_is_that_of_a_shard_of_its_longest_documents(estimated, tmp_path):
    lengths, shard, dimensions = (5, 4), 2 * 32, 16  # of the longest document, of documents, of a token
    needed = [
        named(estimated(tmp_path, "encoding.batch_size=2", f"encoding.document_length={most}"), "indexes", "en-").memory
        for most in lengths
    ]
    assert needed[0] - needed[1] == shard * dimensions * (4 + 4)


def test_what_does_not_fit_is_said_before_anything_is_begun(lab, optical, tmp_path, monkeypatch, leftovers):
    monkeypatch.setattr(room, "free_disk", lambda _folder: 1000)
    monkeypatch.setattr(room, "memory", lambda: GB)
    found = optical("plan", lab.experiment, "--cache-dir", tmp_path, "--json")
    assert found.code == 0
    warnings = [line for line in found.err.splitlines() if " of disk" in line or " of memory" in line]
    assert f"{tmp_path}: the missing artifacts take about " in warnings[0]
    assert " of disk, and 1.0 kB are free; " in warnings[0]
    assert "of memory, and this machine has 1.0 GB; lower retrieval.memory" in warnings[-1]
    assert leftovers(tmp_path) == []
    swept = optical("sweep", lab.experiment, "--cache-dir", tmp_path)
    lines = [line for line in swept.err.splitlines() if line.startswith("warning: ")]
    assert [line for line in lines if " of disk" in line or " of memory" in line] == warnings
    assert "warning" not in optical("sweep", lab.experiment, "--cache-dir", tmp_path).err  # nothing is to be made


def test_nothing_is_said_where_all_fits(estimated, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "free_disk", lambda _folder: None)
    monkeypatch.setattr(room, "memory", lambda: None)
    assert cannot_fit(list(estimated(tmp_path).values()), tmp_path) == []


def test_a_probe_of_this_machine_gives_a_time_to_all_that_takes_long_and_is_kept(lab, optical, tmp_path, leftovers):
    found = optical("plan", lab.experiment, "--cache-dir", tmp_path, "--probe", "--json")
    kinds = ("encodings", "indexes", "runs", "checkpoints")
    records = [one for one in json.loads(found.out) if one["kind"] in kinds and "start" not in one["label"]]
    assert {one["kind"] for one in records} == set(kinds)
    assert all(one["estimate"]["seconds"] > 0 and one["estimate"]["seconds_from"] == "a probe" for one in records)
    assert leftovers(tmp_path) == []
    again = optical("plan", lab.experiment, "--cache-dir", tmp_path, "--json")
    assert json.loads(again.out) == json.loads(found.out)
    said = optical("plan", lab.experiment, "--cache-dir", tmp_path).out
    assert "estimated from a probe." in said
