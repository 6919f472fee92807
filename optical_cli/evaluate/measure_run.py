"""Score a run with the measures of ranx, as trec_eval defines them.

Means are over all judged topics of the experiment (trec_eval `-c`); a topic without results scores 0. Topics without
judgements are left out, and their number is reported. A topic whose judgements all have grade 0 is judged, and all its
measures but judged@k are 0, in trec_eval and in ranx.

Documents are relevant from grade 1. nDCG uses the grade as gain and discounts by log2(rank + 1), as the `ndcg_cut` of
trec_eval.

Documents without a judgement count as not relevant. What this may hide is measured: `condensed@10` is nDCG@10 of the
ranking without them (Sakai 2007, https://doi.org/10.1145/1277741.1277756), `lowest@10` and `highest@10` are the ends of
what nDCG@10 could become if those among the first ten were judged, and `judged@10` is the share that is.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from optical_cli.artifacts.run import Ranking, in_order
from optical_cli.artifacts.scores import Scores
from optical_cli.config.measures import KINDS, Measure, parse_measure
from optical_cli.errors import DataError

Judgements = Mapping[str, Mapping[str, int]]  # query_id -> doc_id -> grade


def evaluate_run(
    run: Mapping[str, Sequence[tuple[str, float]]],
    judgements: Judgements,
    topics: Iterable[str],
    measures: Sequence[str],
) -> Scores:
    """Score a run over the judged topics of an experiment.

    Args:
        run: (document id, score) pairs by query id, in any order.
        judgements: grades of documents by query id.
        topics: query ids of the experiment. Other topics in the run or the judgements are ignored.
        measures: names of measures, such as `ndcg@10`.

    Raises:
        ConfigError: a measure is unknown.
        DataError: no topic is judged, or the run has no result for any judged topic.
    """
    parsed = [parse_measure(name) for name in measures]
    query_ids = sorted(set(topics))
    judged = [query_id for query_id in query_ids if judgements.get(query_id)]
    if not judged:
        raise DataError(
            f"none of the {len(query_ids)} topics has a judgement; check that topics and qrels belong to the same "
            "collection"
        )
    rankings = [in_order(run.get(query_id, ())) for query_id in judged]
    if not any(rankings):
        raise DataError(
            f"the run has no result for any of the {len(judged)} judged topics (it has {len(run)} topics); "
            "check that it was made for the same collection"
        )
    grades = [judgements[query_id] for query_id in judged]
    per_topic = {
        measure.name: dict(zip(judged, values, strict=True))
        for measure, values in zip(parsed, _compute(grades, rankings, parsed), strict=True)
    }
    return Scores(
        per_topic=per_topic,
        means={name: math.fsum(values.values()) / len(judged) for name, values in per_topic.items()},
        topics=len(judged),
        unjudged_topics=len(query_ids) - len(judged),
        empty_topics=sum(not ranking for ranking in rankings),
    )


def warm_up() -> None:
    """Compute every measure once, so that ranx compiles and caches it."""
    names = [Measure(kind, 10 if row.has_cutoff else None).name for kind, row in KINDS.items()]
    evaluate_run({"q": [("d", 1.0)]}, {"q": {"d": 1}}, ["q"], names)


@contextmanager
def quiet_ranx() -> Iterator[None]:
    """Silence a warning of numba about ranx, whose parallel loops index with uint64."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="unsafe cast from uint64 to int64")
        yield


def _compute(
    grades: Sequence[Mapping[str, int]], rankings: Sequence[Ranking], measures: Sequence[Measure]
) -> list[list[float]]:
    """Compute the values of each measure, a value for each topic."""
    from ranx import metrics

    qrels, run = _arrays(grades, rankings)
    values = []
    for measure in measures:
        function = KINDS[measure.kind].ranx
        if function is None:
            own = OWN[measure.kind]
            values.append([own(*topic, measure.cutoff or 0) for topic in zip(grades, rankings, strict=True)])
        else:
            with quiet_ranx():
                of_topics = getattr(metrics, function)(qrels, run, measure.cutoff or 0)  # 0: the whole ranking
            values.append([float(value) for value in of_topics])
    return values


def _arrays(grades: Sequence[Mapping[str, int]], rankings: Sequence[Ranking]) -> tuple[Any, Any]:
    """Convert judgements and run to the typed lists of ranx's measures: for each topic, rows of (document, value).

    Documents are numbered for each topic, and rows are in their final order. The `Qrels` and `Run` of ranx would sort
    ties arbitrarily, and compile again for each length of ids.
    """
    import numpy as np
    from numba.typed import List

    qrels, run = List(), List()
    for graded, ranking in zip(grades, rankings, strict=True):
        best_first = sorted(graded, key=lambda doc_id: graded[doc_id], reverse=True)
        number = {doc_id: float(i) for i, doc_id in enumerate(best_first)}
        rows = [(number.get(doc_id, len(number) + i), -i) for i, (doc_id, _) in enumerate(ranking)]
        qrels.append(np.array([(number[doc_id], graded[doc_id]) for doc_id in best_first], dtype=np.float64))
        run.append(np.array(rows, dtype=np.float64).reshape(-1, 2))  # (0, 2) for a topic without results
    return qrels, run


def _judged(grades: Mapping[str, int], ranking: Ranking, cutoff: int) -> float:
    """Return the share of the first results that have a judgement of any grade; 0 without results."""
    top = ranking[:cutoff]
    return sum(doc_id in grades for doc_id, _ in top) / len(top) if top else 0.0


def _condensed(grades: Mapping[str, int], ranking: Ranking, cutoff: int) -> float:
    """Return nDCG of the ranking without the documents that have no judgement."""
    return _ndcg([grades[doc_id] for doc_id, _ in ranking if doc_id in grades], grades.values(), cutoff)


def _possible(grades: Mapping[str, int], ranking: Ranking, cutoff: int) -> list[float]:
    """Return nDCG for sets of unjudged results that would be judged relevant; both ends are among them.

    They would have the highest grade of the topic, at least 1. A relevant document at a low rank also raises the ideal
    ranking, so that judging can lower nDCG as well. Of sets of one size, which have the same ideal ranking, the highest
    ranked documents give most, and the lowest ranked least.
    """
    top = [doc_id for doc_id, _ in ranking[:cutoff]]
    unjudged = [doc_id for doc_id in top if doc_id not in grades]
    best = max(1, *grades.values())
    found = []
    for size in range(len(unjudged) + 1):
        for chosen in (unjudged[:size], unjudged[len(unjudged) - size :]):
            known = {**dict.fromkeys(unjudged, 0), **dict.fromkeys(chosen, best), **grades}
            found.append(_ndcg([known[doc_id] for doc_id in top], known.values(), cutoff))
    return found


def _ndcg(ranked: Sequence[int], grades: Iterable[int], cutoff: int) -> float:
    """Return nDCG of the grades of a ranking, given all grades of the topic; 0 if none is above 0."""
    ideal = _gain(sorted(grades, reverse=True)[:cutoff])
    return _gain(ranked[:cutoff]) / ideal if ideal else 0.0


def _gain(grades: Sequence[int]) -> float:
    return math.fsum(max(grade, 0) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


OWN: dict[str, Callable[[Mapping[str, int], Ranking, int], float]] = {
    "judged": _judged,
    "condensed": _condensed,
    "lowest": lambda grades, ranking, cutoff: min(_possible(grades, ranking, cutoff)),
    "highest": lambda grades, ranking, cutoff: max(_possible(grades, ranking, cutoff)),
}
"""The measures that ranx lacks, by kind: functions of the grades of a topic, its ranking and the cutoff."""
