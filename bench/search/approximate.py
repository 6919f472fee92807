"""Approximate search compared with exact search, on 100,000 documents as long as real passages."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from bench.results import Recorder
from bench.search.world import write_world
from bench.timing import Paired, seconds
from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.config.retrieval import Retrieval
from optical_cli.progress import Silence
from optical_cli.retrieve.approximate import ApproximateEngine
from optical_cli.retrieve.engine import SearchInputs
from optical_cli.retrieve.maxsim import MaxSim
from optical_cli.retrieve.quantize import quantize

DOCUMENTS = 100_000
TOPICS, TOPIC_TOKENS = 100, 32
DEPTH = 100
MEMORY = 1 << 30
ROUNDS = 3
PEER = "our exact search, bfloat16"
Found = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]


def run(recorder: Recorder) -> None:
    """Quantise the index once, then search approximately and exactly in turns."""
    with TemporaryDirectory() as folder:
        index, structure = Path(folder, "index"), Path(folder, "quantized")
        index.mkdir()
        structure.mkdir()
        documents, topics = write_world(index, DOCUMENTS, TOPICS, TOPIC_TOKENS)
        settings = Retrieval(engine="approximate", depth=DEPTH, memory=MEMORY, precision="bfloat16")
        how = settings.approximate
        built = seconds(lambda: quantize(index, structure, how=how, progress=Silence()))
        sizes = [sum(path.stat().st_size for path in of.iterdir()) for of in (structure, index)]
        tokens = documents.tokens
        context: dict[str, Any] = {
            "documents": DOCUMENTS,
            "tokens": tokens,
            "topics": TOPICS,
            "depth": DEPTH,
            "lists": how.lists_for(tokens),
            "probes": how.probes,
            "rescored": how.rescored_for(DEPTH),
            "seconds_to_quantize": built,
        }
        maxsim = MaxSim(documents, memory=MEMORY, precision="bfloat16", device="cpu")
        index_of = DocumentIndex(documents, [f"d{n}" for n in range(DOCUMENTS)])
        query_ids = [f"q{n}" for n in range(TOPICS)]
        inputs = SearchInputs(index_of, query_ids, settings, "bfloat16", maxsim, maxsim, structure=structure)
        approximate = partial(_approximate, ApproximateEngine(inputs), query_ids)
        exact = partial(_exact, maxsim)
        approximate(topics[:1])  # a first call compiles
        exact(topics[:1])
        found, best, ours, peer = [], [], [], []
        for _ in range(ROUNDS):
            ours.append(seconds(lambda: found.append(approximate(topics))))
            peer.append(seconds(lambda: best.append(exact(topics))))
        recorder.add("search/approximate/recall100", _recall(found[0], best[0]), "share", **context)
        paired = Paired(tuple(ours), tuple(peer))
        recorder.add_paired("search/approximate/vs-exact", paired, TOPICS, "topics/s", PEER, **context)
        recorder.add(
            "search/approximate/bytes-vs-exact",
            sizes[0] / sizes[1],
            "share",
            ours=sizes[0] / tokens,
            peer=sizes[1] / tokens,
            peer_name="the float16 index, bytes a token",
            **context,
        )


def _approximate(engine: ApproximateEngine, query_ids: Sequence[str], topics: Sequence[Tensor]) -> Found:
    return list(engine.best(query_ids[: len(topics)], topics, lambda _done: None))


def _exact(maxsim: MaxSim, topics: Sequence[Tensor]) -> Found:
    return list(maxsim.best(topics, DEPTH, lambda _done: None))


def _recall(found: Found, best: Found) -> float:
    """Return the share of the best documents that was found, the mean over topics."""
    shares = [len(np.intersect1d(_top(*one), _top(*other))) / DEPTH for one, other in zip(found, best, strict=True)]
    return float(np.mean(shares))


def _top(numbers: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    return numbers[np.lexsort((numbers, -scores))[:DEPTH]]
