import numpy as np
import pytest
import torch
from sentence_transformers.util import maxsim

from optical_cli.artifacts.run import rank
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.errors import CacheError
from optical_cli.retrieve.maxsim import MaxSim, exact_scores, score

LEAST = 1 << 20  # bytes; the settings refuse less


def best(queries, store, depth, memory=LEAST, precision="float32", advance=lambda _done: None):
    """The ranking of each query as in a run file, and the unrounded scores of all documents found."""
    found = list(MaxSim(store, memory=memory, precision=precision, device="cpu").best(queries, depth, advance))
    exact = [dict(zip(numbers.tolist(), scores.tolist(), strict=True)) for numbers, scores in found]
    return [rank(((f"d{n:02}", value) for n, value in of_one.items()), depth) for of_one in exact], exact


def brute_force(queries, store, depth):
    """Score every document by float64 products in numpy."""
    documents = [store[n].astype(np.float64) for n in range(len(store))]
    return [
        rank(((f"d{n:02}", (q.double().numpy() @ d.T).max(1).sum()) for n, d in enumerate(documents)), depth)
        for q in queries
    ]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("depth", [1, 2, 10, 56, 57, 100])
def test_the_ranking_equals_that_of_brute_force_with_ties(queries, store, depth, precision):
    found, _ = best(queries, store, depth, precision=precision)
    expected = brute_force(queries, store, depth)
    assert [[doc_id for doc_id, _ in ranking] for ranking in found] == [
        [doc_id for doc_id, _ in ranking] for ranking in expected
    ]
    for ranking, other in zip(found, expected, strict=True):
        np.testing.assert_allclose([s for _, s in ranking], [s for _, s in other], rtol=0, atol=3e-6)


def test_scores_agree_with_sentence_transformers(queries, store):
    documents = [torch.from_numpy(store[number].astype(np.float32)) for number in range(len(store))]
    scores = [score(query.numpy(), store, np.arange(len(store))) for query in queries]
    np.testing.assert_allclose(scores, maxsim(queries, documents), rtol=0, atol=1e-5)


def test_scores_have_the_same_bits_for_any_blocks_tiles_panels_threads_and_precision(queries, store, monkeypatch):
    """The last bits of a matrix product depend on its shape, so no returned score may come from one."""
    _, whole = best(queries, store, 10, memory=1 << 30)
    tried = []
    threads = torch.get_num_threads()
    for cores, block, tile, panel, columns in [(1, 1, 1, 1, 1), (2, 3_000, 8, 5, 9), (3, 40_000, 20, 1000, 8192)]:
        monkeypatch.setattr("optical_cli.retrieve.workload.CACHE", block)
        monkeypatch.setattr("optical_cli.retrieve.bounds.TILE", tile)
        monkeypatch.setattr("optical_cli.retrieve.workload.MOST_DOCUMENTS", panel)
        monkeypatch.setattr("optical_cli.retrieve.workload.MOST_COLUMNS", columns)
        monkeypatch.setattr(torch, "get_num_threads", lambda cores=cores: cores)
        tried += [best(queries, store, 10, precision=precision)[1] for precision in ("float32", "bfloat16")]
    monkeypatch.undo()
    torch.set_num_threads(threads)
    assert all(found == whole for found in tried)


def in_order(query, tokens):
    """MaxSim by float32 sums in the order of the dimensions."""
    products = np.add.accumulate(query[:, None] * tokens[None], axis=2)[..., -1]  # (query tokens, tokens)
    return np.add.accumulate(products.max(axis=1))[-1]


def test_a_score_has_the_bits_of_sums_in_order(queries, store):
    for query in (query.numpy() for query in queries):
        expected = [in_order(query, store[number]) for number in range(len(store))]
        np.testing.assert_array_equal(score(query, store, np.arange(len(store))), expected)


@pytest.mark.parametrize(("slack", "equal"), [(2e-6, True), (0.0, False)])
def test_the_sums_of_a_machine_may_name_another_token_the_nearest(slack, equal):
    """Permutations of the same numbers have products with a constant query that differ in the last bits only."""
    generator = np.random.default_rng(3)
    numbers = generator.integers(-512, 512, 128) / 1024
    tokens = np.stack([generator.permuted(numbers) for _ in range(100)]).astype(np.float32)
    query, scores = np.full((2, 128), 0.1, dtype=np.float32), np.empty(1, dtype=np.float32)
    similarity = tokens @ query.T + generator.uniform(-1e-6, 1e-6, (100, 2)).astype(np.float32)
    exact_scores(query, tokens, np.array([0, 100]), similarity, np.full(2, slack, dtype=np.float32), scores)
    assert (scores[0] == in_order(query, tokens)) == equal


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_score_of_an_embedding_that_is_not_finite_is_refused(number):
    tokens = np.ones((3, 4), dtype=np.float16)
    tokens[1, 2] = number
    with pytest.raises(CacheError, match="not finite"):
        score(np.ones((2, 4), dtype=np.float32), TokenStore(tokens, np.array([0, 3])), np.arange(1))


def test_a_score_does_not_depend_on_other_documents(queries, store):
    query = queries[4].numpy()
    together = score(query, store, np.arange(len(store)))
    alone = [score(query, store, np.array([number]))[0] for number in range(len(store))]
    np.testing.assert_array_equal(together, alone)


def test_few_documents_are_scored_exactly(monkeypatch, queries, store):
    scored = []
    monkeypatch.setattr(
        "optical_cli.retrieve.maxsim.score", lambda *given: scored.append(len(given[2])) or score(*given)
    )
    best(queries, store, 2)
    assert sum(scored) < len(queries) * len(store) / 4


def test_progress_counts_every_score_once(queries, store):
    counts = []
    best(queries, store, 3, advance=counts.append)
    assert sum(counts) == len(store) * len(queries)
    assert len(counts) > 1


def test_a_search_restores_the_number_of_threads(queries, store):
    before = torch.get_num_threads()
    best(queries, store, 3)
    assert torch.get_num_threads() == before


def test_an_index_that_is_not_finite_is_refused(queries, store):
    rows = np.array(store.rows)
    if rows.dtype == np.float16:
        rows[7, 3] = np.nan
    else:
        rows["scale"][7] = np.nan
    with pytest.raises(CacheError, match="not finite"):
        best(queries, TokenStore(rows, store.offsets, store.format), 3)
