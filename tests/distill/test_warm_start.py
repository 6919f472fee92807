import functools
import math

import pytest
import torch

from optical_cli.distill.states import read_texts
from optical_cli.distill.warm_start import Moments, Readers, TokenPairs, overlapping, refine_projection
from optical_cli.encoder.encode import encode_texts
from optical_cli.encoder.load import load_encoder
from optical_cli.errors import DataError, NotConverged
from optical_cli.progress import Silence
from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

SENTENCES = ["Amina mends the boat", "the farmer sells maize .", "Juma", "the teacher buys a book"]


@pytest.fixture(scope="module")
def student(lab):
    return load_encoder(lab.student, query_length=16, document_length=24, device="cpu")


@pytest.fixture(scope="module")
def teacher(lab):
    return load_encoder(lab.teacher, query_length=16, document_length=24, device="cpu")


def test_ridge_regression_recovers_a_linear_map_from_added_moments():
    generator = torch.Generator().manual_seed(1)
    W = torch.randn(5, 12, generator=generator)
    x = torch.randn(90, 12, generator=generator)
    moments = Moments.of(x[:20], x[:20] @ W.T) + Moments.of(x[20:], x[20:] @ W.T)
    assert moments.count == 90
    torch.testing.assert_close(moments.projection(1e-9), W, atol=1e-5, rtol=0)
    assert moments.projection(100.0).norm() < 0.1 * W.norm()


def test_tokens_that_share_a_character_are_paired_and_the_special_tokens_at_the_ends():
    # [CLS] fisher man [SEP]  against  [CLS] fish erman s [SEP]
    first = [(0, 0), (0, 6), (6, 9), (0, 0)]
    second = [(0, 0), (0, 4), (4, 9), (9, 10), (0, 0)]
    assert overlapping(first, second).tolist() == [[1, 1], [1, 2], [2, 2], [0, 0], [3, 4]]


def test_texts_without_special_tokens_and_texts_without_overlap():
    assert overlapping([(0, 3), (4, 7)], [(0, 7)]).tolist() == [[0, 0], [1, 0]]
    assert overlapping([(0, 3)], [(3, 5)]).tolist() == []


def test_texts_are_read_in_order_in_any_batches(teacher):
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


def test_moments_do_not_depend_on_the_batches(student, teacher):
    whole = Readers(student, teacher, "query", 4, Silence()).overlap_moments(SENTENCES)
    parts = [Readers(student, teacher, "query", 1, Silence()).overlap_moments([text]) for text in SENTENCES]
    total = parts[0] + parts[1] + parts[2] + parts[3]
    assert whole.count == total.count
    torch.testing.assert_close(whole.states, total.states, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(whole.cross, total.cross, rtol=1e-4, atol=1e-4)


def test_texts_that_overlap_nowhere_are_refused(student, teacher, monkeypatch):
    monkeypatch.setattr("optical_cli.distill.warm_start.overlapping", lambda *_: overlapping([(0, 3)], [(3, 5)]))
    with pytest.raises(DataError, match="overlap nowhere"):
        Readers(student, teacher, "query", 1, Silence()).overlap_moments(["Amina"])


def unit(*shape, generator):
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


@pytest.fixture
def world():
    """Moments of English, and pairs whose foreign states are the student's English states, slightly rotated."""
    generator = torch.Generator().manual_seed(3)
    W = torch.linalg.qr(torch.randn(12, 12, generator=generator))[0]
    turn = torch.matrix_exp(0.35 * (raw := torch.randn(12, 12, generator=generator)) - 0.35 * raw.T)
    sentences = [unit(length, 12, generator=generator) for length in (4, 7, 2, 5) * 20]
    english = Moments.of(torch.cat(sentences[:5]) @ W, torch.cat(sentences[:5]))
    orders = [torch.randperm(len(tokens), generator=generator) for tokens in sentences]
    foreign = [(tokens @ W @ turn)[order] for tokens, order in zip(sentences, orders, strict=True)]
    return english, TokenPairs(foreign, sentences)


def cost(W, pairs):
    total = 0.0
    for S, T in zip(pairs.projected(W), pairs.teacher, strict=True):
        C = cosine_cost(T[None], S[None])
        mass = uniform_marginals(torch.ones(1, len(T)))
        total += float(solve(TransportProblem(C, mass, mass), 0.0).cost(C))
    return total / len(pairs.states)


@pytest.mark.parametrize("reg", [0.0, 0.02])
def test_each_refinement_lowers_the_cost_between_translations(world, reg):
    english, pairs = world
    W = english.projection(1e-3)
    costs = [cost(W, pairs)]
    for _ in range(3):
        W, health = refine_projection(W, english, pairs, reg=reg, ridge=1e-3, progress=Silence())
        costs.append(cost(W, pairs))
        assert health["plans"] == 80
        assert health["unconverged"] == 0
    assert costs[0] > 1.5 * costs[1]
    assert costs[1] > costs[2] > costs[3]


def test_the_image_of_a_token_is_the_normalized_mean_of_what_it_receives(world):
    _, pairs = world
    W = torch.eye(12)
    none = Moments(torch.zeros(12, 12).double(), torch.zeros(12, 12).double(), 0)
    found, _ = refine_projection(W, none, pairs, reg=math.inf, ridge=1e-6, progress=Silence())
    # with the product of the marginals, each token of a sentence receives the mean of the teacher's tokens
    x = torch.cat(list(pairs.states))
    means = [torch.nn.functional.normalize(T.mean(0), dim=-1).expand(len(T), -1) for T in pairs.teacher]
    torch.testing.assert_close(found, Moments.of(x, torch.cat(means)).projection(1e-6), rtol=1e-3, atol=1e-4)


def test_plans_that_miss_their_threshold_are_an_error(world, monkeypatch):
    english, pairs = world
    hasty = functools.partial(solve, threshold=1e-9, max_iterations=1)
    monkeypatch.setattr("optical_cli.distill.warm_start.solve", hasty)
    with pytest.raises(NotConverged, match=r"reg 0.02: \d+ of 80 transport plans .* student\.warm_start\.reg"):
        refine_projection(torch.eye(12), english, pairs, reg=0.02, ridge=1e-3, progress=Silence())


def test_without_pairs_the_projection_is_that_of_the_ridge_regression(world):
    english, _ = world
    found, health = refine_projection(
        torch.eye(12), english, TokenPairs([], []), reg=0.0, ridge=1e-3, progress=Silence()
    )
    assert torch.equal(found, english.projection(1e-3))
    assert health == {}
