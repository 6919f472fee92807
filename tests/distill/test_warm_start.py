import pytest
import torch

from optical_cli.distill.ridge import Moments
from optical_cli.distill.states import read_texts
from optical_cli.distill.warm_start import overlap_moments, overlapping
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder
from optical_cli.errors import DataError
from optical_cli.progress import Silence

SENTENCES = ["Amina mends the boat", "the farmer sells maize .", "Juma", "the teacher buys a book"]


@pytest.fixture(scope="module")
def student(lab):
    return load_encoder(lab.student, query_length=16, document_length=24, device="cpu")


@pytest.fixture(scope="module")
def teacher(lab):
    return load_encoder(lab.teacher, query_length=16, document_length=24, device="cpu")


def test_ridge_regression_recovers_a_linear_map_from_moments_that_came_in_parts():
    generator = torch.Generator().manual_seed(1)
    W = torch.randn(5, 12, generator=generator)
    x = torch.randn(90, 12, generator=generator)
    moments = Moments.of(x[:20], x[:20] @ W.T) + Moments.of(x[20:], x[20:] @ W.T)
    assert moments.count == 90
    torch.testing.assert_close(moments.projection(1e-9), W, atol=1e-5, rtol=0)
    assert moments.projection(100.0).norm() < 0.1 * W.norm()


def test_tokens_that_share_a_character_are_paired_and_the_ends_with_the_ends():
    # [CLS] fisher man [SEP]  against  [CLS] fish erman s [SEP]
    first = [(0, 0), (0, 6), (6, 9), (0, 0)]
    second = [(0, 0), (0, 4), (4, 9), (9, 10), (0, 0)]
    assert overlapping(first, second).tolist() == [[1, 1], [1, 2], [2, 2], [0, 0], [3, 4]]


def test_tokens_without_special_ones_and_texts_apart():
    assert overlapping([(0, 3), (4, 7)], [(0, 7)]).tolist() == [[0, 0], [1, 0]]
    assert overlapping([(0, 3)], [(3, 5)]).tolist() == []


def test_texts_are_read_in_order_whatever_shares_their_batch(teacher):
    [read] = read_texts(teacher, SENTENCES, "document", 2, projected=True)
    expected = encode_texts(teacher, SENTENCES, "document", 1)
    for text, tokens in zip(read, expected, strict=True):
        torch.testing.assert_close(text.vectors[text.scored], tokens)
    full_stop = read[1]
    assert full_stop.spans[-2:] == [(23, 24), (0, 0)]
    assert full_stop.scored.tolist() == [True] * 5 + [False, True]  # the teacher scores no full stop of a document


def test_a_prompt_covers_no_characters(student):
    [plain] = read_texts(student, ["Amina mends"], "query", 1, projected=False)
    student.prompts["query"] = "maize : "
    try:
        [prompted] = read_texts(student, ["Amina mends"], "query", 1, projected=False)
    finally:
        student.prompts["query"] = ""
    before = len(prompted[0].spans) - len(plain[0].spans)
    assert before > 0
    assert set(prompted[0].spans[1 : 1 + before]) == {(-1, -1)}
    assert prompted[0].spans[1 + before :] == plain[0].spans[1:]


def test_what_overlaps_does_not_depend_on_the_batches(student, teacher):
    whole = overlap_moments(student, teacher, SENTENCES, "query", 4, Silence())
    parts = [overlap_moments(student, teacher, [text], "query", 1, Silence()) for text in SENTENCES]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    assert whole.count == total.count
    torch.testing.assert_close(whole.states, total.states, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(whole.cross, total.cross, rtol=1e-4, atol=1e-4)


def test_texts_that_overlap_nowhere_are_refused(student, teacher, monkeypatch):
    monkeypatch.setattr("optical_cli.distill.warm_start.overlapping", lambda *_: overlapping([(0, 3)], [(3, 5)]))
    with pytest.raises(DataError, match="overlap nowhere"):
        overlap_moments(student, teacher, ["Amina"], "query", 1, Silence())
