"""Exact search compared with `sentence_transformers.util.maxsim`, and with the limit: the matrix product alone.

Both sides find the 100 best documents of each topic from the same float16 embeddings. The peer receives them as
float32 tensors that are made beforehand. The limit is measured in each round next to the search in the same precision:
the fastest of SHAPES in two layouts, into allocated memory, by a product of all threads or by one of each thread.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version

import numpy as np
import torch
from sentence_transformers.util import maxsim
from torch import Tensor

from bench.problems import DIMENSIONS
from bench.results import Recorder
from bench.search.world import Meanings
from bench.timing import Paired, seconds
from optical_cli.artifacts.token_store import Float32, Int64, TokenStore
from optical_cli.encoder.precision import Resolved
from optical_cli.retrieve.maxsim import MaxSim
from optical_cli.retrieve.workload import InTurn, single_threads

DOCUMENTS = 20_000
SHORTEST, LONGEST = 60, 100  # tokens of a document
TOPICS, TOPIC_TOKENS = 200, 32
DEPTH = 100
MEMORY = 1 << 30
ROUNDS = 3
SHAPES = ((8192, 6400), (2048, 6400), (1024, 6400), (4096, 3200), (8192, 512), (2048, 512))
"""Document tokens and topic tokens of the matrix products whose fastest is the limit that search is held against."""
A_SHAPE = 0.1
"""Minimum seconds that a shape is timed for in a round."""
AGAIN = 1.0
"""Minimum seconds that the fastest shape is then timed for again."""
PEER = f"sentence-transformers {version('sentence-transformers')} util.maxsim, float32"
PRECISIONS: tuple[Resolved, Resolved] = ("float32", "bfloat16")


def run(recorder: Recorder) -> None:
    """Time search in float32 and bfloat16, the matrix product in both, and the peer, in turns."""
    documents, queries = make_documents(DOCUMENTS, TOPICS)
    texts = [torch.from_numpy(documents[number].astype(np.float32)) for number in range(len(documents))]
    tokens = int(documents.offsets[-1])
    context = {"documents": DOCUMENTS, "tokens": tokens, "topics": TOPICS, "depth": DEPTH}
    work = 2e-9 * tokens * TOPICS * TOPIC_TOKENS * DIMENSIONS
    sides: dict[str, Callable[[], float]] = {"peer": partial(seconds, partial(search_by_st, texts, queries))}
    for precision in PRECISIONS:
        search = partial(search_exactly, documents, queries, precision)
        search()  # a first call compiles
        sides[precision] = partial(seconds, search)
        sides[f"limit in {precision}"] = partial(_limit, _products(documents, queries, precision), work)
    search_by_st(texts[:100], queries)
    rounds = [{name: measure() for name, measure in sides.items()} for _ in range(ROUNDS)]
    shares = {}
    for precision in PRECISIONS:
        ours = tuple(times[precision] for times in rounds)
        paired = Paired(ours, tuple(times["peer"] for times in rounds))
        recorder.add_paired(f"search/exact/{precision}/vs-st", paired, TOPICS, "topics/s", PEER, **context)
        shares[precision] = Paired(ours, tuple(times[f"limit in {precision}"] for times in rounds))
    for precision, share in sorted(shares.items(), key=lambda item: item[1].ratio, reverse=True):
        _add_share(recorder, f"search/exact/share-of-gemm/{precision}", share, work, precision, context)
    _add_share(recorder, "search/exact/share-of-gemm", share, work, precision, context)  # the smaller of both


def _add_share(
    recorder: Recorder, name: str, share: Paired, work: float, precision: str, context: Mapping[str, int]
) -> None:
    """Record the speed of search relative to that of the product; `work` is that of all products, in GFLOP."""
    recorder.add_paired(name, share, work, "GFLOP/s", f"the fastest torch.mm, {precision}", **context)


def make_documents(count: int, topics: int) -> tuple[TokenStore, list[Tensor]]:
    """Make documents of 60 to 100 tokens, and topics, each about one document."""
    world = Meanings()
    context = world.directions(count)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (count,), generator=world.generator)
    offsets = np.concatenate([[0], np.cumsum(lengths.numpy())])
    meanings = world.draw(int(offsets[-1]))
    documents = world.tokens(meanings, context[torch.arange(count).repeat_interleave(lengths)])
    relevant = torch.randint(count, (topics,), generator=world.generator).repeat_interleave(TOPIC_TOKENS)
    within = (torch.rand(len(relevant), generator=world.generator) * lengths[relevant]).long()
    queries = world.topics(meanings, torch.from_numpy(offsets)[relevant] + within, context[relevant])
    return TokenStore(documents.numpy().astype(np.float16), offsets), list(queries.view(topics, TOPIC_TOKENS, -1))


def search_exactly(
    documents: TokenStore, queries: Sequence[Tensor], precision: Resolved, device: str = "cpu"
) -> list[tuple[Int64, Float32]]:
    """Return numbers and scores of the best documents of each topic, by our search."""
    search = MaxSim(documents, memory=MEMORY, precision=precision, device=device)
    return list(search.best(queries, DEPTH, lambda _done: None))


def search_by_st(documents: Sequence[Tensor], queries: Sequence[Tensor]) -> Tensor:
    """Return the scores of the best documents of each topic, in descending order, by the peer."""
    scores = maxsim(list(queries), list(documents))
    return scores.topk(min(DEPTH, len(documents)), dim=1).values


Products = list[tuple[list[Callable[[], object]], float]]
"""Functions that compute the same matrix product, one for each thread, and the work of each in GFLOP."""


def _products(documents: TokenStore, queries: Sequence[Tensor], precision: Resolved) -> Products:
    """Prepare products of document tokens with topic tokens in the shapes and layouts that the limit is sought in."""
    dtype = getattr(torch, precision)
    rows = documents.vectors(0, max(height for height, _ in SHAPES)).to(dtype)
    columns = torch.cat(list(queries)).to(dtype).T
    products: Products = []
    for height, width in SHAPES:
        outs = [torch.empty(height, width, dtype=dtype) for _ in range(torch.get_num_threads())]
        for right in (columns[:, :width], columns[:, :width].contiguous()):
            calls: list[Callable[[], object]] = [partial(torch.mm, rows[:height], right, out=out) for out in outs]
            products.append((calls, 2e-9 * height * width * DIMENSIONS))
    return products


def _limit(products: Products, work: float) -> float:
    """Return the seconds of this work, in GFLOP, at the speed of the fastest product."""
    limits = [_fastest([(calls[0], of_product) for calls, of_product in products])]
    with single_threads(len(products[0][0])) as in_turn:
        limits.append(_fastest([(partial(_all, in_turn, calls), len(calls) * of_one) for calls, of_one in products]))
    return work * min(limits)


def _fastest(calls: Sequence[tuple[Callable[[], object], float]]) -> float:
    """Return the seconds per GFLOP of the fastest of some calls, each with its work in GFLOP.

    The fastest is timed again and for longer: on a busy machine, the best of many short times is luck.
    """
    call, work = min(calls, key=lambda each: seconds(each[0], A_SHAPE) / each[1])
    return seconds(call, AGAIN) / work


def _all(in_turn: InTurn, calls: Sequence[Callable[[], object]]) -> None:
    """Call functions at the same time, each on a thread."""
    list(in_turn(lambda call: call(), calls))
