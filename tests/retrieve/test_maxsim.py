from itertools import pairwise

import numpy as np
import pytest
import torch
from sentence_transformers.util import maxsim

from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter
from optical_cli.retrieve import maxsim as ours
from optical_cli.retrieve.maxsim import blocks, scores_by_block, segment_max_torch


@pytest.fixture
def store(tmp_path):
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(1, 30, (57,), generator=generator).tolist()
    texts = [torch.nn.functional.normalize(torch.randn(n, 16, generator=generator), dim=-1) for n in lengths]
    with TokenStoreWriter(tmp_path) as writer:
        writer.append([tokens.numpy().astype(np.float16) for tokens in texts])
    return TokenStore.open(tmp_path)


@pytest.fixture
def queries():
    generator = torch.Generator().manual_seed(4)
    return [torch.nn.functional.normalize(torch.randn(n, 16, generator=generator), dim=-1) for n in (5, 1, 9, 3)]


def scored(queries, store, memory, heard=lambda _done: None):
    found = list(scores_by_block(queries, store, memory, "cpu", heard))
    assert [first for first, _ in found] == np.cumsum([0, *(len(scores) for _, scores in found)])[:-1].tolist()
    return np.concatenate([scores for _, scores in found])


def test_scores_are_those_of_sentence_transformers(queries, store):
    documents = [torch.from_numpy(store[number].astype(np.float32)) for number in range(len(store))]
    expected = maxsim(queries, documents).T
    np.testing.assert_allclose(scored(queries, store, 1 << 20), expected, rtol=0, atol=1e-5)


def test_blocks_of_any_size_give_the_same(queries, store):
    whole = scored(queries, store, 1 << 30)
    heard = []
    for memory in (1, 3_000, 10_000, 40_000):
        done = []
        # not the same bits: a matrix product's kernel follows its shape
        np.testing.assert_allclose(scored(queries, store, memory, done.append), whole, rtol=0, atol=2e-6)
        assert sum(done) == len(store)
        heard.append(len(done))
    assert heard == sorted(heard, reverse=True)
    np.testing.assert_array_equal(scored(queries, store, 3_000), scored(queries, store, 3_000))
    assert heard[0] == len(store)  # a document a block at the least


def test_blocks_keep_to_the_memory_and_miss_nothing(store):
    found = list(blocks(store, query_tokens=18, memory=10_000))
    assert found[0][0] == 0
    assert found[-1][1] == len(store)
    assert all(last == first for (_, last), (first, _) in pairwise(found))
    a_token = 16 * 4 + 18 * 4
    for first, last in found:
        tokens = store.offsets[last] - store.offsets[first]
        assert tokens * a_token <= 10_000 or last == first + 1


def test_the_reduction_of_a_gpu_is_that_of_the_compiled_loop(store):
    similarity = torch.randn(int(store.offsets[-1]), 7, generator=torch.Generator().manual_seed(5)) - 3  # all negative
    expected = np.stack([similarity[a:b].max(0).values.numpy() for a, b in pairwise(store.offsets)])
    np.testing.assert_array_equal(segment_max_torch(similarity, store.offsets), expected)
    np.testing.assert_array_equal(ours._segment_max(similarity, store.offsets), expected)
