"""Exact search compared with `sentence_transformers.util.maxsim`, and with the matrix product alone.

Both sides find the 100 best documents of each topic from the same float16 embeddings. The peer receives them as
float32 tensors that are made beforehand.
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
from optical_cli.artifacts.token_store import TokenStore
from optical_cli.encoder.precision import Resolved
from optical_cli.retrieve.maxsim import MaxSim

DOCUMENTS = 20_000
SHORTEST, LONGEST = 60, 100  # tokens of a document
TOPICS, TOPIC_TOKENS = 200, 32
DEPTH = 100
MEMORY = 1 << 30
ROUNDS = 3
PRODUCT_ROWS = 8192
"""Document tokens in the matrix product that search is compared with; more do not make it faster."""
PEER = f"sentence-transformers {version('sentence-transformers')} util.maxsim, float32"
PRECISIONS: tuple[Resolved, Resolved] = ("float32", "bfloat16")


def run(recorder: Recorder) -> None:
    """Time search in float32 and bfloat16, the matrix product in both, and the peer, in turns."""
    documents, queries = _world()
    texts = [torch.from_numpy(documents[number].astype(np.float32)) for number in range(len(documents))]
    tokens = int(documents.offsets[-1])
    context = {"documents": DOCUMENTS, "tokens": tokens, "topics": TOPICS, "depth": DEPTH}
    sides: dict[str, Callable[[], None]] = {"peer": partial(_peer, texts, queries)}
    for precision in PRECISIONS:
        sides[precision] = partial(_search, documents, queries, precision)
        sides[f"product in {precision}"] = _product(documents, queries, precision)
    _peer(texts[:100], queries)
    for precision in PRECISIONS:  # a first call compiles
        sides[precision]()
    rounds = [{name: seconds(call) for name, call in sides.items()} for _ in range(ROUNDS)]
    shares = {}
    for precision in PRECISIONS:
        ours = tuple(times[precision] for times in rounds)
        paired = Paired(ours, tuple(times["peer"] for times in rounds))
        recorder.add_paired(f"search/exact/{precision}/vs-st", paired, TOPICS, "topics/s", PEER, **context)
        product = tuple(times[f"product in {precision}"] * tokens / PRODUCT_ROWS for times in rounds)
        shares[precision] = Paired(ours, product)
    work = 2e-9 * tokens * TOPICS * TOPIC_TOKENS * DIMENSIONS
    for precision, share in sorted(shares.items(), key=lambda item: item[1].ratio, reverse=True):
        _add_share(recorder, f"search/exact/share-of-gemm/{precision}", share, work, precision, context)
    _add_share(recorder, "search/exact/share-of-gemm", share, work, precision, context)  # the smaller of both


def _add_share(
    recorder: Recorder, name: str, share: Paired, work: float, precision: str, context: Mapping[str, int]
) -> None:
    """Record the speed of search relative to that of the product; `work` is that of all products, in GFLOP."""
    recorder.add_paired(name, share, work, "GFLOP/s", f"torch.mm of {PRODUCT_ROWS} rows, {precision}", **context)


def _world() -> tuple[TokenStore, list[Tensor]]:
    """Make documents of 60 to 100 tokens, and topics, each about one document."""
    world = Meanings()
    context = world.directions(DOCUMENTS)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (DOCUMENTS,), generator=world.generator)
    offsets = np.concatenate([[0], np.cumsum(lengths.numpy())])
    meanings = world.draw(int(offsets[-1]))
    documents = world.tokens(meanings, context[torch.arange(DOCUMENTS).repeat_interleave(lengths)])
    relevant = torch.randint(DOCUMENTS, (TOPICS,), generator=world.generator).repeat_interleave(TOPIC_TOKENS)
    within = (torch.rand(len(relevant), generator=world.generator) * lengths[relevant]).long()
    queries = world.topics(meanings, torch.from_numpy(offsets)[relevant] + within, context[relevant])
    return TokenStore(documents.numpy().astype(np.float16), offsets), list(queries.view(TOPICS, TOPIC_TOKENS, -1))


def _search(documents: TokenStore, queries: Sequence[Tensor], precision: Resolved) -> None:
    search = MaxSim(documents, memory=MEMORY, precision=precision, device="cpu")
    list(search.best(queries, DEPTH, lambda _done: None))


def _peer(documents: Sequence[Tensor], queries: Sequence[Tensor]) -> None:
    scores = maxsim(list(queries), list(documents))
    scores.topk(min(DEPTH, len(documents)), dim=1)


def _product(documents: TokenStore, queries: Sequence[Tensor], precision: Resolved) -> Callable[[], None]:
    """Return a function that multiplies PRODUCT_ROWS document tokens with all topic tokens, into allocated memory."""
    dtype = getattr(torch, precision)
    rows = documents.vectors(0, PRODUCT_ROWS).to(dtype)
    columns = torch.cat(list(queries)).to(dtype).T
    out = torch.empty(len(rows), columns.shape[1], dtype=dtype)

    def multiply() -> None:
        torch.mm(rows, columns, out=out)

    return multiply
