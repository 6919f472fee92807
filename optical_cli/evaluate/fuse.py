"""Fusion of several runs of the same topics, by ranx."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from optical_cli.artifacts.run import Ranking, rank
from optical_cli.errors import ConfigError, DataError
from optical_cli.evaluate.measure_run import quiet_ranx

Method = Literal["rrf", "sum", "mnz"]
METHODS: tuple[Method, ...] = get_args(Method)

Run = Mapping[str, Ranking]


def fuse_runs(runs: Sequence[Run], method: Method = "rrf", k: int = 60, depth: int | None = None) -> dict[str, Ranking]:
    """Fuse at least two runs, each in trec_eval's order.

    `rrf` adds up 1 / (k + rank) (Cormack and others 2009), times k + 1: a first place is worth 1, and the six decimals
    of a run file tell all ranks apart. `sum` adds up scores scaled to 0 to 1 for each run and topic, and `mnz`
    multiplies that by the number of runs that found the document (CombSUM and CombMNZ, Fox and Shaw 1994; scaled from
    minimum to maximum, Lee 1997). Equal scores have no range: each of them is the best, 1. A run without the document
    or the topic adds nothing. Topics keep the order in which they first come; `depth` documents of each are kept, all
    for None.

    ConfigError if there is one run only, DataError if no topic is in more than one.
    """
    if len(runs) < 2:
        raise ConfigError(f"fuse: two runs or more expected, found {len(runs)}")
    order = dict.fromkeys(query_id for run in runs for query_id in run)
    together: dict[tuple[int, ...], list[str]] = defaultdict(list)  # ranx wants all its runs to have the same topics
    for query_id in order:
        together[tuple(number for number, run in enumerate(runs) if query_id in run)].append(query_id)
    if all(len(numbers) < 2 for numbers in together):
        raise DataError("fuse: no topic is in two of the runs; runs of the same topics expected")
    fused: dict[str, Ranking] = {}
    for numbers, query_ids in together.items():
        fused |= _fuse([{query_id: runs[n][query_id] for query_id in query_ids} for n in numbers], method, k)
    return {query_id: rank(fused[query_id], depth) for query_id in order}


def _fuse(runs: Sequence[Run], method: Method, k: int) -> dict[str, Ranking]:
    """Fuse runs of the same topics; documents of a topic in no order."""
    from ranx import Run as RanxRun
    from ranx import fusion

    doc_ids = list(dict.fromkeys(doc_id for run in runs for ranking in run.values() for doc_id, _ in ranking))
    number = {doc_id: f"{n:010}" for n, doc_id in enumerate(doc_ids)}  # ranx compiles anew for every length of id
    queries = list(runs[0])

    def scores(ranking: Ranking) -> dict[str, float]:
        if method == "rrf":  # ranx sorts by score, ties as they fall; ours are in order
            return {number[doc_id]: -float(place) for place, (doc_id, _) in enumerate(ranking)}
        low, high = (pick((score for _, score in ranking), default=0.0) for pick in (min, max))
        return {number[doc_id]: (score - low) / (high - low) if high > low else 1.0 for doc_id, score in ranking}

    held = [RanxRun({f"{n:010}": scores(run[query_id]) for n, query_id in enumerate(queries)}) for run in runs]
    found: Any
    with quiet_ranx():
        if method == "rrf":
            factor, found = k + 1, fusion.rrf(held, k=k)
        else:
            combine = fusion.comb_sum if method == "sum" else fusion.comb_mnz
            factor, found = 1, combine(held)
    return {
        queries[int(query)]: [(doc_ids[int(doc)], factor * float(score)) for doc, score in results.items()]
        for query, results in found.run.items()
    }
