import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from optical_cli.artifacts.indexes import DocumentIndex, QuantizedIndex
from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter
from optical_cli.config.engines import Approximate
from optical_cli.config.retrieval import Retrieval
from optical_cli.errors import CacheError, ConfigError, MissingDependency
from optical_cli.progress import Silence
from optical_cli.retrieve.approximate import ApproximateEngine, add_best_above_floor
from optical_cli.retrieve.engine import SearchInputs
from optical_cli.retrieve.maxsim import MaxSim
from optical_cli.retrieve.quantize import quantize

pytest.importorskip("faiss")

DIMENSIONS, MEANINGS = 24, 60
HOW = Approximate(lists=64, code_bytes=6, probes=4, rescored=60)


def unit(vectors):
    return torch.nn.functional.normalize(vectors, dim=-1)


@pytest.fixture(scope="module", params=["float16", "int8"])
def world(tmp_path_factory, request):
    """An index of 600 documents whose tokens are noisy meanings, and 20 topics, each about one document."""
    generator = torch.Generator().manual_seed(5)
    meanings = unit(torch.randn(MEANINGS, DIMENSIONS, generator=generator))
    folder = tmp_path_factory.mktemp("index")

    def tokens(which, about):
        noise = unit(torch.randn(len(which), DIMENSIONS, generator=generator))
        return unit(meanings[which] + 0.3 * about + 0.4 * noise)

    topics = []
    with TokenStoreWriter(folder, storage=request.param) as writer:
        for number in range(600):
            which = torch.randint(MEANINGS, (5 + number % 17,), generator=generator)
            about = unit(torch.randn(DIMENSIONS, generator=generator))
            writer.append([tokens(which, about).numpy()])
            if number % 30 == 0:
                topics.append(tokens(which[:4], about))
    return folder, topics


@pytest.fixture(scope="module")
def quantized(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized")
    health = quantize(world[0], folder, how=HOW, progress=Silence())
    return folder, health


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def found(world, folder, how=HOW):
    """The scores of the documents that an approximate search finds for each topic."""
    store, query_ids = TokenStore.open(world[0]), [f"q{n}" for n in range(len(world[1]))]
    maxsim = MaxSim(store, memory=1 << 20, precision="float32", device="cpu")
    settings = Retrieval(engine="approximate", approximate=how, memory=1 << 20, depth=10)
    documents = DocumentIndex(store, [f"d{n}" for n in range(len(store))])
    engine = ApproximateEngine(
        SearchInputs(documents, query_ids, settings, "float32", maxsim, maxsim, structure=folder)
    )
    return [
        dict(zip(*map(np.ndarray.tolist, pair), strict=True))
        for pair in engine.best(query_ids, world[1], lambda _done: None)
    ]


def exact(world, depth):
    search = MaxSim(TokenStore.open(world[0]), memory=1 << 20, precision="float32", device="cpu")
    found = search.best(world[1], depth, lambda _done: None)
    return [dict(zip(*map(np.ndarray.tolist, pair), strict=True)) for pair in found]


def test_every_token_is_in_the_list_of_its_nearest_centre_with_a_near_code(world, quantized):
    store, made = TokenStore.open(world[0]), QuantizedIndex.open(quantized[0])
    lists = np.repeat(np.arange(64), np.diff(made.starts))
    parts = [made.codebooks[k][made.codes[:, k]] for k in range(6)]
    near = made.centroids[lists] + np.concatenate(parts, axis=1)  # (tokens, dimensions)
    # the tokens of a document are in several lists: compare each token with the nearest code of its document
    for document in (0, 299, 599):
        tokens = store[document].astype(np.float32)
        coded = near[made.documents == document]
        assert len(coded) == len(tokens)
        assert lists[made.documents == document].tolist() == sorted((tokens @ made.centroids.T).argmax(1).tolist())
        assert np.abs(tokens[:, None] - coded[None]).sum(-1).min(1).max() < 1.5
    assert all((np.diff(made.documents[a:b]) >= 0).all() for a, b in zip(made.starts, made.starts[1:], strict=False))
    health = quantized[1]
    assert (health["documents"], health["tokens"], health["lists"]) == (600, store.tokens, 64)
    assert 0 < health["squared_error"] < 0.1


def test_approximate_search_finds_nearly_all_of_the_best_with_their_exact_scores(world, quantized):
    shares = []
    for best, ours in zip(exact(world, 10), found(world, quantized[0]), strict=True):
        assert len(ours) == HOW.rescored
        top = sorted(best, key=lambda number: -best[number])[:10]
        shares.append(len(set(top) & set(ours)) / 10)
        assert all(ours[number] == best[number] for number in top if number in ours)
    assert np.mean(shares) > 0.95


def test_few_probes_and_few_rescored_find_less(world, quantized):
    def share(probes, rescored):
        how = HOW.model_copy(update={"probes": probes, "rescored": rescored})
        pairs = zip(exact(world, 10), found(world, quantized[0], how), strict=True)
        return np.mean([len(set(best) & set(ours)) / len(best) for best, ours in pairs])

    assert share(1, 10) < share(4, 10) < share(4, 60) <= share(4, 600) == 1


def test_quantisation_has_the_same_bytes_for_any_number_of_threads(world, quantized, tmp_path):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        quantize(world[0], tmp_path, how=HOW, progress=Silence())
        assert digests(tmp_path) == digests(quantized[0])
        threaded = found(world, tmp_path)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert threaded == found(world, quantized[0])
    quantize(world[0], tmp_path, how=HOW.model_copy(update={"seed": 14}), progress=Silence())
    assert digests(tmp_path)["centroids.npy"] != digests(quantized[0])["centroids.npy"]


def test_a_ranking_does_not_depend_on_the_other_topics(world, quantized):
    alone = [found((world[0], [topic]), quantized[0])[0] for topic in world[1][:3]]
    assert alone == found(world, quantized[0])[:3]


def test_the_approximate_score_sums_the_best_similarities_above_the_floor():
    rng = np.random.default_rng(2)
    tables = rng.normal(size=(2, 3, 256)).astype(np.float32)
    codes = rng.integers(256, size=(40, 3)).astype(np.uint8)
    starts, owners = np.array([0, 15, 25, 40]), np.sort(rng.integers(8, size=40)).astype(np.int32)
    coarse, probes = np.array([[0.9, 0.2], [0.5, 0.4]], dtype=np.float32), np.array([[2, 0], [1, 2]])
    sums, best, numbers = np.zeros(8, np.float32), np.zeros(8, np.float32), np.empty(8, np.int32)
    count = add_best_above_floor(tables, coarse, probes, starts, codes, owners, sums, best, numbers)
    expected = np.zeros(8)
    for token in range(2):
        above = np.zeros(8)
        for similarity, number in zip(coarse[token], probes[token], strict=True):
            for row in range(starts[number], starts[number + 1]):
                value = similarity - coarse[token, -1] + sum(tables[token, k, codes[row, k]] for k in range(3))
                above[owners[row]] = max(above[owners[row]], value)
        expected += above
    assert np.allclose(sums, expected, atol=1e-5)
    assert sorted(numbers[:count]) == np.flatnonzero(expected).tolist()
    assert not best.any()


def test_the_estimated_bytes_are_those_on_disk(quantized):
    size = sum(path.stat().st_size for path in quantized[0].iterdir())
    headers = 5 * 128
    assert 0 < size - HOW.structure_bytes(quantized[1]["tokens"], DIMENSIONS) <= headers + 8


def test_lists_grow_with_the_root_of_the_tokens_up_to_a_limit():
    lists = [Approximate().lists_for(tokens) for tokens in (1, 3, 60, 17_338, 6_730_630, 2 * 10**9)]
    assert lists == [1, 3, 16, 256, 4096, 32_768]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"lists": 100_000}, "lists: at most 7770, the number of tokens of the index, expected, found 100000"),
        ({"code_bytes": 5}, "code_bytes: a divisor of the 24 dimensions of a token expected, found 5; choose one of 1"),
    ],
)
def test_lists_and_bytes_that_do_not_suit_the_index_are_refused(world, tmp_path, change, fault):
    with pytest.raises(ConfigError, match=r"retrieval\.approximate") as error:
        quantize(world[0], tmp_path, how=HOW.model_copy(update=change), progress=Silence())
    assert fault in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_embedding_that_is_not_finite_is_an_error(world, tmp_path):
    store = TokenStore.open(world[0])
    with TokenStoreWriter(tmp_path) as writer:
        writer.append([np.full((1, DIMENSIONS), np.nan, np.float16) if n == 77 else store[n] for n in range(600)])
    with pytest.raises(CacheError, match="not finite"):
        quantize(tmp_path, tmp_path, how=HOW, progress=Silence())


def test_without_faiss_the_error_names_what_to_install(world, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependency, match=r"pip install 'optical-cli\[approximate\]'"):
        quantize(world[0], tmp_path, how=HOW, progress=Silence())
