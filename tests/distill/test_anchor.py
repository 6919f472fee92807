"""The anchor of a training, which keeps the student near its start."""

import json
from contextlib import nullcontext

import pytest
import torch
import transformers
from safetensors.torch import load_file

from optical_cli.distill.anchor import distance
from optical_cli.distill.losses import Tokens
from optical_cli.distill.stored_states import StoredStates
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.open import open_encoder
from optical_cli.pipeline.cells import Cell

CELL = Cell("sw-sw", "transport", 0.1, 13)
SENTENCES = ["Amina anatengeneza mashua", "Juma anauza kitabu"]


@pytest.fixture
def train(own_lab, open_pipeline, tmp_path):
    """Train the student of a cell; return its artifact and the pipeline."""

    def trained(*overrides, cell=CELL, cache=tmp_path / "cache"):
        pipeline = open_pipeline(own_lab.experiment, cache, "training.epochs=4", *overrides)
        return pipeline.obtain(pipeline.checkpoint(cell))[0], pipeline

    return trained


def losses(artifact):
    lines = [json.loads(line) for line in (artifact.folder / "training.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


def moved(artifact, pipeline):
    """Mean cosine distance of the tokens of sentences from those at the start."""
    start, _ = pipeline.obtain(pipeline.checkpoint(Cell(CELL.pair, "none", None, 13)))
    own, at_start = (
        torch.cat(encode_texts(open_encoder(one.folder, pipeline.student_setup), SENTENCES, "query", 2))
        for one in (artifact, start)
    )
    return float((1 - (own * at_start).sum(-1)).mean())


def test_the_distance_is_the_mean_over_the_scored_tokens():
    vectors = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    anchor = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[-1.0, 0.0], [7.0, 7.0]]])
    assert distance(Tokens(vectors, mask, mask.float()), anchor).tolist() == [0.5, 2.0]


@pytest.mark.parametrize("objective", ["transport", "greedy"])
def test_a_student_with_an_anchor_stays_closer_to_its_start(train, objective):
    cell = Cell(CELL.pair, objective, 0.1 if objective == "transport" else None, 13)
    free, pipeline = train(cell=cell)
    anchored, _ = train("training.anchor={weight: 1}", cell=cell)
    held, _ = train("training.anchor={weight: 50}", cell=cell)
    assert moved(free, pipeline) > 1.5 * moved(anchored, pipeline) > 1.5 * 1.5 * moved(held, pipeline) > 0
    assert losses(anchored)[0]["loss"] == pytest.approx(losses(free)[0]["loss"], abs=1e-5)  # it begins at its start
    assert losses(anchored)[0]["anchor_distance"] == pytest.approx(0.0, abs=1e-5)
    assert losses(anchored)[-1]["anchor_distance"] > 0.001
    assert 0 < held.manifest["health"]["anchor_distance"] < anchored.manifest["health"]["anchor_distance"]
    assert "anchor_distance" not in free.manifest["health"]


def test_the_loss_is_that_of_the_objective_and_the_weighted_distance(train, monkeypatch):
    anchored, _ = train("training.anchor={weight: 0.5}")
    lines = losses(anchored)
    monkeypatch.setattr("optical_cli.distill.batch_loss.distance", lambda student, _anchor: student.mass.sum(-1) + 2)
    shifted, _ = train("training.anchor={weight: 0.5}", cache=anchored.folder / "other")
    assert losses(shifted)[0]["loss"] - lines[0]["loss"] == pytest.approx(0.5 * 3, abs=1e-4)


def test_with_stored_states_the_start_is_run_from_them_too(train, own_lab, save_backbone, tmp_path, monkeypatch):
    save_backbone(own_lab.root / "deep", transformers.AutoTokenizer.from_pretrained(own_lab.student)._tokenizer, 4)
    deep = ("student.init=./deep", "student.train_layers=2", "student.warm_start.sentences=20", "training.anchor={}")
    stored, pipeline = train(*deep)
    start, _ = pipeline.obtain(pipeline.checkpoint(Cell(CELL.pair, "none", None, 13)))
    monkeypatch.setattr(StoredStates, "reading", lambda *_: nullcontext())
    computed, _ = train(*deep, cache=tmp_path / "computed")
    one, other, initial = (load_file(each.folder / "model.safetensors") for each in (stored, computed, start))
    differing = sum((one[name] - other[name]).square().sum() for name in one)
    assert differing < 0.05**2 * sum((one[name] - initial[name]).square().sum() for name in one)
    of_stored, of_computed = (artifact.manifest["health"]["anchor_distance"] for artifact in (stored, computed))
    assert of_stored == pytest.approx(of_computed, rel=0.05)


def test_a_report_and_a_model_card_name_the_anchor(own_lab, optical, tmp_path):
    options = (
        "--set",
        "training.anchor={weight: 0.5}",
        "--set",
        "transport.reg=0.1",
        "--cache-dir",
        tmp_path / "cache",
    )
    assert optical("sweep", own_lab.experiment, *options).code == 0
    assert optical("report", own_lab.experiment, *options, "-o", tmp_path / "report").code == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "anchored to the start with weight 0.5" in page
    assert "cosine distance of tokens from the anchor (mean)" in page
    exported = optical("export", own_lab.experiment, "--pair", "sw-sw", *options, "-o", tmp_path / "student")
    assert exported.code == 0, exported.err
    assert "anchor" in (tmp_path / "student" / "README.md").read_text(encoding="utf-8")
