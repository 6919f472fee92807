"""Scores a run by ranx's measures, defined as in trec_eval.

Every judged topic of the experiment counts (trec_eval `-c`); one that the run missed scores 0. Topics without
judgements are left out and counted. A topic whose judgements are all grade 0 counts: every measure but judged@k is 0,
in trec_eval and in ranx alike. Relevant means grade 1 or more; nDCG takes the grade as the gain and discounts by
log2(rank + 1), trec_eval's `ndcg_cut`.
"""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Score a run over the judged ones of `topics`; other topics of the run or the judgements are ignored.

    ConfigError if a measure is unknown, DataError if no topic is judged or the run has results for no judged topic.
    """
    parsed = [parse_measure(name) for name in measures]
    asked = sorted(set(topics))
    judged = [query_id for query_id in asked if judgements.get(query_id)]
    if not judged:
        raise DataError(
            f"none of the {len(asked)} topics has a judgement; expected at least one: "
            "do the topics and the qrels belong to the same collection?"
        )
    rankings = [in_order(run.get(query_id, ())) for query_id in judged]
    if not any(rankings):
        raise DataError(
            f"the run has no result for any of the {len(judged)} judged topics (it has {len(run)} topics); "
            "was it made for another collection?"
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
        unjudged_topics=len(asked) - len(judged),
        empty_topics=sum(not ranking for ranking in rankings),
    )


def warm_up() -> None:
    """Compute every measure once, so that ranx compiles and caches it."""
    names = [Measure(kind, 10 if row.has_cutoff else None).name for kind, row in KINDS.items()]
    evaluate_run({"q": [("d", 1.0)]}, {"q": {"d": 1}}, ["q"], names)


@contextmanager
def quiet_ranx() -> Iterator[None]:
    """Silence numba while it compiles a parallel loop of ranx, which indexes with uint64."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="unsafe cast from uint64 to int64")
        yield


def _compute(
    grades: Sequence[Mapping[str, int]], rankings: Sequence[Ranking], measures: Sequence[Measure]
) -> list[list[float]]:
    """For each measure, its value for each topic."""
    from ranx import metrics

    qrels, run = _arrays(grades, rankings)
    found = []
    for measure in measures:
        function = KINDS[measure.kind].ranx
        if function is None:
            found.append([_judged(*topic, measure) for topic in zip(grades, rankings, strict=True)])
        else:
            with quiet_ranx():
                values = getattr(metrics, function)(qrels, run, measure.cutoff or 0)  # 0: the whole ranking
            found.append([float(value) for value in values])
    return found


def _arrays(grades: Sequence[Mapping[str, int]], rankings: Sequence[Ranking]) -> tuple[Any, Any]:
    """Judgements and run as the typed lists that ranx's measures take: per topic, rows of (document, value).

    Documents are numbered per topic, rows in their final order. ranx's own `Qrels` and `Run` would hash the ids, sort
    ties as they fall, and compile anew for each length of id.
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


def _judged(grades: Mapping[str, int], ranking: Ranking, measure: Measure) -> float:
    """The share of the first results with a judgement of any grade; 0 without results."""
    top = ranking[: measure.cutoff]
    return sum(doc_id in grades for doc_id, _ in top) / len(top) if top else 0.0
