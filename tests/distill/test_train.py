import json

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.cells import Cell
from optical_cli.config.experiment import Transport
from optical_cli.distill import objectives
from optical_cli.distill.held_out import HeldOut
from optical_cli.distill.teacher_tokens import TeacherTokens, encode_bitext
from optical_cli.distill.train import AlignmentLoss
from optical_cli.encoder.encode import encode_texts, pad
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import NotConverged
from optical_cli.progress import Silence

ENGLISH = ["Amina mends the boat .", "Juma buys the net .", "maize .", "the teacher sells a book ."]
SWAHILI = ["Amina anatengeneza mashua .", "Juma ananunua wavu .", "mahindi", "mwalimu anauza kitabu ."]


@pytest.fixture
def encoder(lab):
    return load_encoder(lab.teacher, query_length=16, document_length=16, device="cpu").eval()


@pytest.fixture
def encoded(lab, tmp_path):
    """The teacher's encodings of two bitexts, one after the other."""
    how = {"setup": EncoderSetup(16, 16, "float32", 2, "cpu"), "progress": Silence()}
    folders = []
    for number, sentences in enumerate((ENGLISH[:1], ENGLISH[1:])):
        folder = tmp_path / str(number)
        folder.mkdir()
        encode_bitext(sentences, lab.teacher, ("query", "document"), folder, **how)
        folders.append(folder)
    return TeacherTokens(folders, ("query", "document"))


def test_the_rows_of_several_bitexts_follow_one_another(encoded, encoder):
    assert list(encoded.starts()) == [0, 1]
    for side in ("query", "document"):
        for row, tokens in enumerate(encode_texts(encoder, ENGLISH, side, 4)):
            torch.testing.assert_close(encoded.text(row, side), tokens, atol=1e-3, rtol=0)
    padded, mask = encoded.batch([3, 0], "document")
    assert mask.sum(1).tolist() == [7, 6]
    torch.testing.assert_close(padded[1, :6], encoded.text(0, "document"))


@pytest.mark.parametrize("side", ["query", "document"])
def test_the_loss_is_that_of_exactly_the_tokens_that_maxsim_scores(encoder, encoded, side):
    objective = objectives.transport(0.1, Transport())
    loss = AlignmentLoss(encoder, encoded, (side,), objective)
    rows = torch.tensor([2, 0, 3])
    texts = [SWAHILI[row] for row in rows]
    with torch.no_grad():
        found = loss([encoder.preprocess(texts, task=side)], rows)
    S, s_mask = pad(encode_texts(encoder, texts, side, 4))
    T, t_mask = pad([encoded.text(int(row), side) for row in rows])
    torch.testing.assert_close(found, objective(T, t_mask, S, s_mask).losses.mean(), atol=1e-5, rtol=0)
    assert loss.close_window()["plans"] == 3
    assert loss.total.plans == 3
    assert loss.close_window() == {}


def test_both_sides_count_alike(encoder, encoded):
    objective = objectives.transport(0.1, Transport())
    rows = torch.tensor([0, 1])
    features = {side: encoder.preprocess(SWAHILI[:2], task=side) for side in ("query", "document")}
    with torch.no_grad():
        one, other, both = (
            AlignmentLoss(encoder, encoded, sides, objective)([dict(features[side]) for side in sides], rows)
            for sides in (("query",), ("document",), ("query", "document"))
        )
    torch.testing.assert_close(both, (one + other) / 2)
    assert one != other


def test_held_out_translations_of_a_perfect_student_find_each_other(encoder, encoded):
    seen = HeldOut(ENGLISH, [0, 1, 2, 3], encoded, "document", 3).measure(encoder)
    assert seen["p@1"] == 1.0
    assert seen["transport_cost"] == pytest.approx(0, abs=1e-3)
    turned = HeldOut(ENGLISH, [1, 0, 3, 2], encoded, "document", 3).measure(encoder)
    assert turned["p@1"] == 0.0
    assert turned["transport_cost"] > 0.1
    assert HeldOut([], [], encoded, "document", 3).measure(encoder) == {}


@pytest.fixture
def trained(own_lab, own_swept, open_pipeline):
    """Train the student of reg 0.1 with some settings; start and encodings are in the cache."""

    def train(*overrides, anew=False):
        pipeline = open_pipeline(own_lab.experiment, own_swept, *overrides)
        step = pipeline.checkpoint(Cell("sw-sw", "transport", 0.1, 13))
        if anew:
            pipeline.cache.remove(pipeline.cache.find(step.kind, step.key))
        artifact, made = pipeline.obtain(step)
        return artifact.folder, made

    return train


def word_embeddings(folder):
    return MultiVectorEncoder(str(folder), device="cpu")[0].auto_model.get_input_embeddings().weight


def test_watching_and_logging_do_not_change_the_student(trained):
    folder, made = trained()
    assert not made
    weights = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}
    again, made = trained("training.watch=3", "training.log_every=2", anew=True)
    assert made
    assert {path.relative_to(again): path.read_bytes() for path in again.rglob("*.safetensors")} == weights
    lines = [json.loads(line) for line in (again / "training.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "held_out" in line] == [0, 1, 2, 3]


def test_frozen_word_embeddings_stay_bit_by_bit_and_the_rest_learns(trained, lab):
    frozen, _ = trained("student.freeze_embeddings=true")
    thawed, _ = trained()
    assert torch.equal(word_embeddings(frozen), word_embeddings(lab.teacher))
    assert not torch.equal(word_embeddings(thawed), word_embeddings(lab.teacher))
    dense = [MultiVectorEncoder(str(folder), device="cpu")[1].linear.weight for folder in (frozen, lab.teacher)]
    assert not torch.equal(*dense)


def test_the_log_has_a_line_a_step_with_loss_rate_and_health(trained):
    folder, _ = trained()
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3]
    for line in steps:
        assert 0 < line["loss"] < 2
        assert line["grad_norm"] > 0
        assert (line["converged"], line["mass"]) == (1.0, pytest.approx(1.0, abs=1e-4))
    assert sum(line["plans"] for line in steps) == 2 * 24  # both sides


def test_a_loss_that_is_not_finite_is_never_a_student_though_nobody_watches(trained, own_swept, leftovers):
    before = leftovers(own_swept)
    changed = ("training.learning_rate=1e30", "training.epochs=2", "training.log_every=100", "bitext.sw.held_out=0")
    with pytest.raises(NotConverged, match=r"diverged: .*; lower training\.learning_rate"):
        trained(*changed)
    assert [name for name in leftovers(own_swept) if name not in before and not name.startswith("encodings")] == []


def test_training_adds_the_prompts_that_encoding_adds(own_lab, open_pipeline, tmp_path, monkeypatch):
    config = own_lab.teacher / "config_sentence_transformers.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "prompts": {"query": "maize ", "document": ""}}))
    seen = {}

    def note(self, sentence_features, labels, forward=AlignmentLoss.forward):
        features = list(sentence_features)
        for side, batch in zip(self._sides, features, strict=True):
            seen[side] = set(batch["input_ids"][:, 1].tolist())  # behind [CLS]
        return forward(self, features, labels)

    monkeypatch.setattr(AlignmentLoss, "forward", note)
    pipeline = open_pipeline(own_lab.experiment, tmp_path / "cache")
    pipeline.obtain(pipeline.checkpoint(Cell("sw-sw", "greedy", None, 13)))
    prompt = load_encoder(own_lab.teacher, query_length=8, document_length=8, device="cpu").tokenizer("maize")
    assert seen["query"] == {prompt["input_ids"][1]}
    assert len(seen["document"]) > 1
