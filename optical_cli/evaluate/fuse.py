"""Fuse runs of the same topics, with ranx."""

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
    """Fuse two or more runs. Topics stay in the order in which they first occur.

    A run that lacks a topic or a document contributes 0.

    Args:
        runs: rankings by query id, each in trec_eval's order.
        method: `rrf`, reciprocal rank fusion (Cormack et al. 2009): the sum of (k + 1) / (k + rank). The factor k + 1
            makes a first place worth 1, so that the six decimals of a run file distinguish all ranks. `sum`, CombSUM:
            the sum of scores scaled to 0 to 1 for each run and topic. `mnz`, CombMNZ: `sum` times the number of runs
            that found the document (both Fox and Shaw 1994; scaled from minimum to maximum, Lee 1997). Equal scores
            have no range: each of them counts as the best, 1.
        k: constant of `rrf`.
        depth: documents to keep for a topic; None for all.

    Raises:
        ConfigError: there are fewer than two runs.
        DataError: no topic is in more than one run.
    """
    if len(runs) < 2:
        raise ConfigError(f"fuse: at least two runs expected, found {len(runs)}")
    order = dict.fromkeys(query_id for run in runs for query_id in run)
    by_runs: dict[tuple[int, ...], list[str]] = defaultdict(list)  # ranx requires that its runs have the same topics
    for query_id in order:
        by_runs[tuple(number for number, run in enumerate(runs) if query_id in run)].append(query_id)
    if all(len(numbers) < 2 for numbers in by_runs):
        raise DataError("fuse: no topic is in two of the runs; runs of the same topics expected")
    fused: dict[str, Ranking] = {}
    for numbers, query_ids in by_runs.items():
        fused |= _fuse([{query_id: runs[n][query_id] for query_id in query_ids} for n in numbers], method, k)
    return {query_id: rank(fused[query_id], depth) for query_id in order}


def _fuse(runs: Sequence[Run], method: Method, k: int) -> dict[str, Ranking]:
    """Fuse runs with the same topics; the documents of a topic are in no order."""
    from ranx import Run as RanxRun
    from ranx import fusion

    doc_ids = list(dict.fromkeys(doc_id for run in runs for ranking in run.values() for doc_id, _ in ranking))
    number = {doc_id: f"{n:010}" for n, doc_id in enumerate(doc_ids)}  # ranx compiles again for each length of ids
    queries = list(runs[0])

    def scores(ranking: Ranking) -> dict[str, float]:
        if method == "rrf":  # ranx would order ties arbitrarily; our rankings are in their final order
            return {number[doc_id]: -float(place) for place, (doc_id, _) in enumerate(ranking)}
        low, high = (pick((score for _, score in ranking), default=0.0) for pick in (min, max))
        return {number[doc_id]: (score - low) / (high - low) if high > low else 1.0 for doc_id, score in ranking}

    of_ranx = [RanxRun({f"{n:010}": scores(run[query_id]) for n, query_id in enumerate(queries)}) for run in runs]
    fused: Any
    with quiet_ranx():
        if method == "rrf":
            factor, fused = k + 1, fusion.rrf(of_ranx, k=k)
        else:
            combine = fusion.comb_sum if method == "sum" else fusion.comb_mnz
            factor, fused = 1, combine(of_ranx)
    return {
        queries[int(query)]: [(doc_ids[int(doc)], factor * float(score)) for doc, score in results.items()]
        for query, results in fused.run.items()
    }
