"""Several runs of the same topics become one, by ranx."""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from optical_cli.artifacts.run import Ranking, rank
from optical_cli.errors import ConfigError, DataError

Method = Literal["rrf", "sum", "mnz"]
METHODS: tuple[Method, ...] = get_args(Method)

Run = Mapping[str, Ranking]


def fuse_runs(runs: Sequence[Run], method: Method = "rrf", k: int = 60, depth: int | None = None) -> dict[str, Ranking]:
    """Fuse at least two runs, each in trec_eval's order.

    `rrf` adds up 1 / (k + rank) (Cormack and others 2009), times k + 1: a first place is worth 1, and the six decimals
    of a run file tell all ranks apart. `sum` adds up scores that each run has brought to 0 to 1 for the topic, and
    `mnz` multiplies that by the number of runs that have the document (CombSUM and CombMNZ, Fox and Shaw 1994). A run
    that has not found a document, or has no results for a topic, adds nothing.

    Args:
        runs: rankings by query id.
        method: how.
        k: of `rrf`.
        depth: documents kept for a topic; None for all.

    Returns:
        rankings in the order in which topics are first met.

    Raises:
        ConfigError: there is one run only.
        DataError: no topic is in more than one run.
    """
    if len(runs) < 2:
        raise ConfigError(f"fuse: two runs or more expected, found {len(runs)}")
    having: dict[str, tuple[int, ...]] = {
        query_id: tuple(number for number, run in enumerate(runs) if query_id in run)
        for query_id in dict.fromkeys(query_id for run in runs for query_id in run)
    }
    if all(len(numbers) < 2 for numbers in having.values()):
        raise DataError("fuse: no topic is in two of the runs; runs of the same topics expected")
    together = defaultdict(list)  # ranx wants all its runs to have the same topics
    for query_id, numbers in having.items():
        together[numbers].append(query_id)
    fused: dict[str, Ranking] = {}
    for numbers, query_ids in together.items():
        fused |= _fuse([{query_id: runs[n][query_id] for query_id in query_ids} for n in numbers], method, k)
    return {query_id: rank(fused[query_id], depth) for query_id in having}


def _fuse(runs: Sequence[Run], method: Method, k: int) -> dict[str, Ranking]:
    """Fuse runs of the same topics; documents of a topic in no order.

    ranx compiles anew for every length of id, so it is given numbers of one length.
    """
    from ranx import Run as RanxRun
    from ranx import fusion
    from ranx.normalization import min_max_norm

    doc_ids = list(dict.fromkeys(doc_id for run in runs for ranking in run.values() for doc_id, _ in ranking))
    number = {doc_id: f"{n:010}" for n, doc_id in enumerate(doc_ids)}
    queries = list(runs[0])

    def scores(ranking: Ranking) -> dict[str, float]:
        if method == "rrf":  # ranx sorts by score, ties as they fall; ours are in order
            return {number[doc_id]: -float(place) for place, (doc_id, _) in enumerate(ranking)}
        return {number[doc_id]: score for doc_id, score in ranking}

    held = [RanxRun({f"{n:010}": scores(run[query_id]) for n, query_id in enumerate(queries)}) for run in runs]
    with warnings.catch_warnings():
        # ranx's parallel loops index with uint64; numba says so whenever it compiles one
        warnings.filterwarnings("ignore", message="unsafe cast from uint64 to int64")
        if method == "rrf":
            found: Any = fusion.rrf(held, k=k)
        else:
            combine = fusion.comb_sum if method == "sum" else fusion.comb_mnz
            found = combine([min_max_norm(run) for run in held])
    factor = k + 1 if method == "rrf" else 1
    return {
        queries[int(query)]: [(doc_ids[int(doc)], factor * float(score)) for doc, score in results.items()]
        for query, results in found.run.items()
    }
