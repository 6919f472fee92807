from itertools import pairwise

import numpy as np
import pytest
import torch

from optical_cli.artifacts.token_store import TokenStore
from optical_cli.retrieve import bounds as bounds_module
from optical_cli.retrieve.bounds import Bounds, Contenders, Topics, reduce_by_torch, reduce_compiled
from optical_cli.retrieve.maxsim import score


def bounds(topics, store):
    return topics.bounds(store.vectors(0, store.tokens), store.offsets, topics.room(int(store.offsets[-1]) + 3))


@pytest.fixture
def scores(queries, store):
    """(documents, topics)."""
    return np.stack([score(query.numpy(), store, np.arange(len(store))) for query in queries], axis=1)


@pytest.mark.parametrize(("precision", "a_token"), [("float32", 1e-4), ("bfloat16", 0.015)])
def test_scores_are_within_their_bounds_and_bounds_are_tight(queries, store, scores, precision, a_token):
    found = bounds(Topics(queries, precision, "cpu"), store)
    assert (found.lower < scores).all()
    assert (scores < found.upper).all()
    assert ((found.upper - found.lower) < a_token * np.array([len(query) for query in queries])).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_product_has_the_tokens_of_few_topics(monkeypatch, queries, store, precision):
    whole, lengths = Topics(queries, precision, "cpu"), [len(query) for query in queries]
    monkeypatch.setattr(bounds_module, "TILE", sum(lengths[:2]))
    few = Topics(queries, precision, "cpu")
    assert whole.columns == sum(lengths)
    assert few.columns == max(*lengths, sum(lengths[:2]))
    np.testing.assert_allclose(bounds(few, store).upper, bounds(whole, store).upper, rtol=1e-2)


def test_bounds_hold_for_the_worst_rounding():
    """Every number lies just below the middle of two bfloat16 numbers, so that all errors have the same sign."""
    worst = 1.0 + 2.0**-8 - 2.0**-10
    tokens = np.full((40, 16), worst / 4, dtype=np.float16)
    query = torch.full((12, 16), worst / 4)
    held = TokenStore(tokens, np.array([0, 15, 40]))
    exact = score(query.numpy(), held, np.arange(2))
    found = bounds(Topics([query], "bfloat16", "cpu"), held)
    assert (found.lower[:, 0] < exact).all()
    assert (exact < found.upper[:, 0]).all()
    product = float(query.bfloat16().float()[0] @ torch.from_numpy(tokens[0]).bfloat16().float()) * 12
    assert abs(product - exact[0]) > 0.05  # the error of the product itself


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_reductions_in_torch_and_numba_agree(store, dtype):
    similarity = torch.randn(int(store.offsets[-1]), 7, generator=torch.Generator().manual_seed(5)).to(dtype)
    similarity[:100] -= 3  # mostly negative numbers
    starts = np.array([0, 2, 7])
    best = np.stack([similarity[a:b].float().max(0).values.numpy() for a, b in pairwise(store.offsets)])
    for reduce in (reduce_compiled, reduce_by_torch):
        sums, magnitudes = reduce(similarity, store.offsets, starts)
        np.testing.assert_allclose(sums, np.add.reduceat(best, starts[:-1], axis=1), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(magnitudes, np.add.reduceat(abs(best), starts[:-1], axis=1), rtol=1e-6)


def bounds_of(scores, off=0.5):
    return Bounds((scores + off).astype(np.float32), (scores - off).astype(np.float32))


def test_documents_that_cannot_be_among_the_best_are_dropped():
    found = Contenders(topics=2, depth=2)
    found.add(0, bounds_of(np.array([[5.0, 1.0], [9.0, 2.0], [3.9, 3.0]])))
    found.add(3, bounds_of(np.array([[4.1, 9.0], [3.0, 9.0]])))
    (first, upper), (second, _) = found.of_topics()
    assert first.tolist() == [1, 0, 3]  # 5 may be 4.5 and 4.1 may be 4.6, but 3.9 is at most 4.4
    assert upper.tolist() == [9.5, 5.5, np.float32(4.6)]
    assert second.tolist() == [3, 4]


def test_dropping_early_keeps_the_same_few_contenders(monkeypatch):
    scores = np.random.default_rng(1).standard_normal((3000, 3))
    whole, parts = Contenders(3, 4), Contenders(3, 4)
    whole.add(0, bounds_of(scores, 0.05))
    monkeypatch.setattr(bounds_module, "SPARE", 1)
    for first in range(0, 3000, 50):
        parts.add(first, bounds_of(scores[first : first + 50], 0.05))
    for (numbers, upper), (others, other_upper) in zip(whole.of_topics(), parts.of_topics(), strict=True):
        assert numbers.tolist() == others.tolist()
        np.testing.assert_array_equal(upper, other_upper)
        assert len(numbers) < 30


def test_a_topic_without_enough_documents_keeps_all():
    found = Contenders(topics=1, depth=5)
    found.add(0, bounds_of(np.array([[1.0], [100.0]])))
    assert found.of_topics()[0][0].tolist() == [1, 0]
