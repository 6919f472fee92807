"""Students whose upper layers are trained on stored states of the layers below."""

from contextlib import nullcontext

import pytest
import torch
import transformers
from safetensors.torch import load_file
from sentence_transformers import MultiVectorEncoder

from optical_cli.distill.stored_states import StoredStates
from optical_cli.errors import ConfigError, OutOfTime
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.estimate import estimate
from optical_cli.plan.planned import plan

CELL = Cell("sw-en", "transport", 0.1, 13)
UPPER = ("student.init=./deep", "student.train_layers=2", "student.warm_start.sentences=20")


@pytest.fixture
def deep_lab(own_lab, save_backbone):
    """The experiment with a student of four layers beside it."""
    save_backbone(own_lab.root / "deep", transformers.AutoTokenizer.from_pretrained(own_lab.student)._tokenizer, 4)
    return own_lab


@pytest.fixture
def train(deep_lab, open_pipeline, tmp_path):
    """Train the student of a cell; return its artifact and the pipeline."""

    def trained(*overrides, cell=CELL, cache=tmp_path / "cache", **settings):
        pipeline = open_pipeline(deep_lab.experiment, cache, *UPPER, *overrides, **settings)
        return pipeline.obtain(pipeline.checkpoint(cell))[0], pipeline

    return trained


def weights(artifact):
    return load_file(artifact.folder / "model.safetensors")


def distance(one, other, names):
    return sum((weights(one)[name] - weights(other)[name]).square().sum() for name in names) ** 0.5


def differing(artifact, start):
    """Names of the weights of the transformer in which a student differs from its start."""
    learned, initial = weights(artifact), weights(start)
    return {name for name in initial if not torch.equal(learned[name], initial[name])}


@pytest.mark.parametrize("sides", ["one", "both"])
def test_the_student_is_the_one_with_frozen_layers_that_are_computed_each_step(train, tmp_path, monkeypatch, sides):
    cell = Cell("sw-en" if sides == "one" else "sw-sw", "transport", 0.1, 13)
    lengths = ("encoding.query_length=12",)  # the two sides are cut at other lengths
    stored, pipeline = train(*lengths, cell=cell)
    start, _ = pipeline.obtain(pipeline.checkpoint(Cell(cell.pair, "none", None, 13)))
    monkeypatch.setattr(StoredStates, "reading", lambda *_: nullcontext())
    computed, _ = train(*lengths, cell=cell, cache=tmp_path / "computed")
    changed = differing(stored, start)
    assert changed
    assert all(name.startswith(("encoder.layer.2.", "encoder.layer.3.")) for name in changed)
    assert distance(stored, computed, changed) < 0.05 * distance(stored, start, changed)
    of_stored, of_computed = (one.manifest["health"]["held_out_end"] for one in (stored, computed))
    assert of_stored["p@1"] == pytest.approx(of_computed["p@1"], abs=0.003)
    assert of_stored["transport_cost"] == pytest.approx(of_computed["transport_cost"], abs=1e-3)
    MultiVectorEncoder(str(stored.folder), device="cpu")  # it is whole


def test_all_regs_objectives_seeds_and_vocabularies_share_the_states(train):
    _, pipeline = train()
    (made,) = pipeline.cache.entries("states")
    for cell in (Cell("sw-en", "transport", 0.0, 13), Cell("sw-en", "greedy", None, 13), CELL):
        train(cell=cell)
    train("student.vocabulary=trim", "student.vocabulary_floor=5")
    assert [one.folder for one in pipeline.cache.entries("states")] == [made.folder]


def test_a_longer_bitext_reuses_the_states_of_a_shorter_one(train):
    _, pipeline = train("bitext.sw.max_pairs=12")
    train("bitext.sw.max_pairs=20")
    reused = sorted(one.manifest["health"]["reused"] for one in pipeline.cache.entries("states"))
    assert reused[0] == 0
    assert reused[1] >= 12


def test_more_layers_have_other_states(train):
    _, pipeline = train()
    train("student.train_layers=4")
    assert len(list(pipeline.cache.entries("states"))) == 2


def test_adapters_are_added_to_the_trained_layers_only(train):
    adapted, _ = train("student.adapters={rank: 2}")
    names = load_file(adapted.folder / "adapter_model.safetensors")
    assert {name.split(".layer.")[1][0] for name in names} == {"2", "3"}


@pytest.mark.parametrize(
    "settings", [("training.anchor={}",), ("training.recompute=true",), ("training.early_stopping={patience: 3}",)]
)
def test_a_training_resumes_to_the_same_student(train, tmp_path, settings):
    steps = ("training.epochs=8", "training.log_every=4", "training.watch=4", *settings)
    whole, _ = train(*steps)
    for _ in range(2):
        with pytest.raises(OutOfTime):
            train(*steps, cache=tmp_path / "other", deadline=0.0)
    resumed, _ = train(*steps, cache=tmp_path / "other")
    assert weights(resumed).keys() == weights(whole).keys()
    assert all(torch.equal(weights(resumed)[name], weight) for name, weight in weights(whole).items())
    assert resumed.manifest["health"] == whole.manifest["health"]


def test_activations_computed_twice_give_the_same_student(train, tmp_path):
    once, _ = train(cell=Cell("sw-sw", "transport", 0.1, 13))
    twice, _ = train("training.recompute=true", cell=Cell("sw-sw", "transport", 0.1, 13), cache=tmp_path / "twice")
    assert all(torch.equal(weights(twice)[name], weight) for name, weight in weights(once).items())


def test_a_plan_knows_the_bytes_of_states_and_encodings(deep_lab, train, open_pipeline, tmp_path):
    pipeline = open_pipeline(deep_lab.experiment, tmp_path / "cache", *UPPER)
    estimates = {one.planned.step.kind: one for one in estimate(pipeline, plan(pipeline))[0]}
    train()
    for kind in ("states", "encodings"):
        (made,) = pipeline.cache.entries(kind)
        assert estimates[kind].tokens == pytest.approx(made.manifest["health"]["tokens"], rel=0.02)
        assert 0 < made.size - estimates[kind].disk < 4000  # offsets, ids and digests


def test_layers_that_the_student_does_not_have_are_refused_by_plan(deep_lab, optical, tmp_path):
    where = ("--cache-dir", tmp_path / "cache", "--set", "student.init=./deep")
    said = optical("plan", deep_lab.experiment, *where, "--set", "student.train_layers=5")
    assert said.code == 2
    assert said.errors == [
        "error: student.train_layers: at most 4 expected, as many as the student has layers, found 5; use `all` to "
        "train the word embeddings as well"
    ]
    for value in ("0", "half"):
        said = optical("plan", deep_lab.experiment, *where, "--set", f"student.train_layers={value}")
        assert said.code == 2
        assert "student.train_layers" in said.errors[0]


def test_a_student_that_cannot_be_split_is_refused_before_it_is_trained(deep_lab, train):
    config = transformers.AlbertConfig(
        vocab_size=70,
        embedding_size=16,
        hidden_size=24,
        num_attention_heads=2,
        intermediate_size=48,
        num_hidden_layers=4,
        max_position_embeddings=64,
    )
    folder = deep_lab.root / "shared-layers"
    transformers.AlbertModel(config, add_pooling_layer=False).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(deep_lab.student).save_pretrained(folder)
    with pytest.raises(ConfigError, match=r"AlbertModel cannot be split between its layers .*; use `all`"):
        train("student.init=./shared-layers")


def test_a_report_says_which_layers_were_trained(deep_lab, train, optical, tmp_path):
    train()
    chosen = [part for text in UPPER for part in ("--set", text)]
    said = optical("sweep", deep_lab.experiment, "--cache-dir", tmp_path / "cache", *chosen)
    assert said.code == 0, said.err
    where = ("--cache-dir", tmp_path / "cache", "--output", tmp_path / "report")
    said = optical("report", deep_lab.experiment, *where, *chosen)
    assert said.code == 0, said.err
    pages = [path.read_text() for path in (tmp_path / "report").glob("*.md")]
    assert any("the upper 2 layers and the projection" in page for page in pages)
