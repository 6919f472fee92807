import pytest
import torch

from optical_cli.config.student import WarmStart
from optical_cli.distill import warm_start
from optical_cli.distill.start import start_student
from optical_cli.distill.warm_start import overlapping, ridge_projection
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import ConfigError, DataError
from optical_cli.progress import Silence

SENTENCES = ["Amina mends the boat", "Juma buys the net", "the farmer sells maize", "the teacher buys a book"] * 3
HOW = {"setup": EncoderSetup(16, 24, "float32", 64, "cpu"), "progress": Silence()}


@pytest.mark.parametrize(("sentences", "batches"), [(20, 1), (100, 4)])
def test_ridge_regression_recovers_a_linear_map(monkeypatch, sentences, batches):
    generator = torch.Generator().manual_seed(1)
    W = torch.randn(5, 12, generator=generator, dtype=torch.float64)
    seen = []

    def pairs(_student, _teacher, texts, _side):
        x = torch.randn(7 * len(texts), 12, generator=generator, dtype=torch.float64)
        seen.append(len(texts))
        return x, x @ W.T

    monkeypatch.setattr(warm_start, "_paired_tokens", pairs)
    found = ridge_projection(None, None, ["text"] * sentences, "query", 1e-9, Silence())
    assert len(seen) == batches
    assert sum(seen) == sentences
    torch.testing.assert_close(found, W.float(), atol=1e-5, rtol=0)
    shrunk = ridge_projection(None, None, ["text"] * sentences, "query", 100.0, Silence())
    assert shrunk.norm() < 0.1 * found.norm()


def test_tokens_that_share_a_character_are_paired_and_the_ends_with_the_ends():
    # [CLS] fisher man [SEP]  against  [CLS] fish erman s [SEP]
    first = [(0, 0), (0, 6), (6, 9), (0, 0)]
    second = [(0, 0), (0, 4), (4, 9), (9, 10), (0, 0)]
    assert overlapping(first, second) == [(1, 1), (1, 2), (2, 2), (0, 0), (3, 4)]


def test_tokens_without_special_ones_and_texts_apart():
    assert overlapping([(0, 3), (4, 7)], [(0, 7)]) == [(0, 0), (1, 0)]
    assert overlapping([(0, 3)], [(3, 5)]) == []


def test_a_started_student_says_of_english_nearly_what_the_teacher_says(lab, tmp_path):
    start_student(lab.teacher, lab.teacher, WarmStart(), SENTENCES, "query", tmp_path / "s", **HOW)
    lengths = {"query_length": 16, "document_length": 24, "device": "cpu"}
    T, S = (encode_texts(load_encoder(f, **lengths), SENTENCES, "query", 4) for f in (lab.teacher, tmp_path / "s"))
    assert min(float((t * s).sum(-1).mean()) for t, s in zip(T, S, strict=True)) > 0.95


def test_a_student_with_another_tokenizer_is_brought_into_the_teachers_space(lab, tmp_path):
    said = start_student(lab.student, lab.teacher, WarmStart(sentences=10), SENTENCES, "query", tmp_path / "s", **HOW)
    assert said["warm_start_sentences"] == 10
    student = load_encoder(tmp_path / "s", query_length=16, document_length=24, device="cpu")
    teacher = load_encoder(lab.teacher, query_length=16, document_length=24, device="cpu")
    x, t = warm_start._paired_tokens(student, teacher, SENTENCES[:4], "query")
    projected = torch.nn.functional.normalize(x.float() @ student[1].linear.weight.detach().T, dim=-1)
    assert float((projected * t.float()).sum(-1).mean()) > 0.8
    assert encode_texts(student, ["mashua"], "query", 1)[0].shape[1] == 16


def test_texts_that_overlap_nowhere_are_refused(monkeypatch):
    monkeypatch.setattr(
        warm_start, "_paired_tokens", lambda *_: (torch.empty(0, 4).double(), torch.empty(0, 3).double())
    )
    with pytest.raises(DataError, match="overlap nowhere"):
        ridge_projection(None, None, ["a"], "query", 1.0, Silence())


def test_without_a_warm_start_the_student_has_to_live_in_the_teachers_space(lab, tmp_path):
    with pytest.raises(ConfigError, match=r"student\.warm_start: null needs .* \(16\), found 24"):
        start_student(lab.student, lab.teacher, None, SENTENCES, "query", tmp_path / "s", **HOW)
    start_student(lab.teacher, lab.teacher, None, SENTENCES, "query", tmp_path / "t", **HOW)
    assert (tmp_path / "t" / "modules.json").exists()
