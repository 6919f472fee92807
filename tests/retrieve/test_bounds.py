from itertools import pairwise

import numpy as np
import pytest
import torch

from optical_cli.artifacts.token_store import TokenStore
from optical_cli.retrieve.bounds import Topics, _reduce_compiled, reduce_by_torch
from optical_cli.retrieve.exact import score


def bounds(topics, store):
    return topics.bounds(store.vectors(0, store.tokens), store.offsets, topics.room(int(store.offsets[-1]) + 3))


@pytest.fixture
def scores(queries, store):
    """(documents, topics)."""
    return np.stack([score(query.numpy(), store, np.arange(len(store))) for query in queries], axis=1)


@pytest.mark.parametrize(("precision", "a_token"), [("float32", 1e-4), ("bfloat16", 0.015)])
def test_no_score_is_outside_its_bounds_and_they_are_not_far(queries, store, scores, precision, a_token):
    found = bounds(Topics(queries, precision, "cpu"), store)
    assert (found.lower < scores).all()
    assert (scores < found.upper).all()
    assert ((found.upper - found.lower) < a_token * np.array([len(query) for query in queries])).all()


def test_bounds_hold_where_rounding_is_at_its_worst():
    """All errors of one sign: every number lies just short of halfway between two of bfloat16."""
    worst = 1.0 + 2.0**-8 - 2.0**-10
    tokens = np.full((40, 16), worst / 4, dtype=np.float16)
    query = torch.full((12, 16), worst / 4)
    held = TokenStore(tokens, np.array([0, 15, 40]))
    exact = score(query.numpy(), held, np.arange(2))
    found = bounds(Topics([query], "bfloat16", "cpu"), held)
    assert (found.lower[:, 0] < exact).all()
    assert (exact < found.upper[:, 0]).all()
    product = float(query.bfloat16().float()[0] @ torch.from_numpy(tokens[0]).bfloat16().float()) * 12
    assert abs(product - exact[0]) > 0.05  # the product alone is off by that


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_reduction_of_a_gpu_is_that_of_the_compiled_loop(store, dtype):
    similarity = torch.randn(int(store.offsets[-1]), 7, generator=torch.Generator().manual_seed(5)).to(dtype)
    similarity[:100] -= 3  # nothing but negative ones
    starts = np.array([0, 2, 7])
    best = np.stack([similarity[a:b].float().max(0).values.numpy() for a, b in pairwise(store.offsets)])
    for reduce in (_reduce_compiled, reduce_by_torch):
        sums, magnitudes = reduce(similarity, store.offsets, starts)
        np.testing.assert_allclose(sums, np.add.reduceat(best, starts[:-1], axis=1), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(magnitudes, np.add.reduceat(abs(best), starts[:-1], axis=1), rtol=1e-6)
