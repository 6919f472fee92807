"""A search in parts finds the same documents as one search."""

import numpy as np
import pytest
import torch

from optical_cli.cluster import spread_stages
from optical_cli.cluster.spread_stages import SpreadMaxSim, merged, parts_of
from optical_cli.retrieve.maxsim import MaxSim

HOW = {"memory": 1 << 22, "precision": "float32", "device": "cpu"}


class Here:
    """Workers in this process."""

    def __init__(self, count):
        self.count = count

    def in_turn(self, work, items):
        return map(work, items)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_parts_cover_all_documents_once_with_about_equal_tokens(count):
    lengths = np.random.default_rng(1).integers(1, 60, 5000)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    parts = parts_of(offsets, count)
    assert [document for part in parts for document in range(*part)] == list(range(5000))
    tokens = [offsets[last] - offsets[first] for first, last in parts]
    assert len(parts) == count
    assert max(tokens) - min(tokens) <= 2 * 60


def test_few_documents_are_one_part():
    assert parts_of(np.arange(0, 3 * 700 + 1, 3), 8) == [(0, 700)]
    assert parts_of(np.array([0, 5]), 8) == [(0, 1)]


def test_one_long_document_leaves_no_part_empty(monkeypatch):
    monkeypatch.setattr(spread_stages, "MIN_DOCUMENTS", 1)
    assert parts_of(np.array([0, 1, 100, 101]), 3) == [(0, 2), (2, 3)]


@pytest.mark.parametrize("depth", [1, 3, 20, 57, 100])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_parts_find_the_results_of_one_search_including_ties(store, queries, tmp_path, monkeypatch, depth, count):
    monkeypatch.setattr(spread_stages, "MIN_DOCUMENTS", 3)
    spread_stages._opened_index.cache_clear()
    queries = [*queries, torch.from_numpy(store[12].astype(np.float32))]  # ties with document 31, in another part
    heard = []
    spread = SpreadMaxSim(Here(count), tmp_path, store, **HOW).best(queries, depth, heard.append)
    whole = MaxSim(store, **HOW).best(queries, depth, lambda _done: None)
    for one, other in zip(spread, whole, strict=True):
        assert sorted(zip(*map(list, one), strict=True)) == sorted(zip(*map(list, other), strict=True))
    assert sum(heard) == len(queries) * len(store)


def test_the_merge_keeps_ties_with_the_last_result():
    parts = [
        (np.array([4, 7]), np.array([3.0, 1.0], dtype=np.float32)),
        (np.array([1, 2]), np.array([1.0, 0.5], dtype=np.float32)),
    ]
    numbers, scores = merged(parts, 2)
    assert sorted(numbers.tolist()) == [1, 4, 7]
    assert scores.min() == 1


def test_an_index_that_differs_on_a_node_is_refused(store, queries, tmp_path):
    from optical_cli.errors import CacheError

    spread_stages._opened_index.cache_clear()
    fewer = store.part(0, len(store) - 1)
    with pytest.raises(CacheError, match="expected 56 documents, found 57"):
        list(SpreadMaxSim(Here(1), tmp_path, fewer, **HOW).best(queries, 3, lambda _done: None))
    with pytest.raises(CacheError, match="all nodes must share the cache folder"):
        list(SpreadMaxSim(Here(1), tmp_path / "absent", store, **HOW).best(queries, 3, lambda _done: None))
