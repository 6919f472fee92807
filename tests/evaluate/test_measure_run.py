import math

import pytest

from optical_cli.artifacts.run import read_run, write_run
from optical_cli.errors import ConfigError, DataError
from optical_cli.evaluate import evaluate_run, warm_up

MEASURES = ["ndcg@10", "ndcg@3", "recall@2", "map", "mrr@10", "precision@5"]


def test_graded_measures_by_hand():
    judgements = {"q1": {"a": 2, "b": 1, "c": 0, "d": 1}}
    run = {"q1": [("c", 9.0), ("a", 8.0), ("x", 7.0), ("b", 6.0)]}
    scores = evaluate_run(run, judgements, ["q1"], [*MEASURES, "mrr@1", "judged@3", "judged@10"])
    ideal = 2 + 1 / math.log2(3) + 1 / math.log2(4)
    expected = {
        "ndcg@10": (2 / math.log2(3) + 1 / math.log2(5)) / ideal,
        "ndcg@3": (2 / math.log2(3)) / ideal,
        "recall@2": 1 / 3,
        "map": (1 / 2 + 2 / 4) / 3,
        "mrr@10": 1 / 2,
        "mrr@1": 0.0,
        "precision@5": 2 / 5,  # over five, with four results
        "judged@3": 2 / 3,
        "judged@10": 3 / 4,  # over the four results
    }
    assert scores.means == pytest.approx(expected, abs=1e-12)


def test_every_judged_topic_counts_and_unjudged_ones_do_not():
    judgements = {"found": {"a": 1}, "missed": {"a": 1}, "empty": {"a": 1}, "elsewhere": {"a": 1}}
    run = {"found": [("a", 1.0)], "empty": [], "unjudged": [("a", 1.0)], "elsewhere": [("b", 1.0)]}
    topics = ["found", "missed", "empty", "unjudged"]
    scores = evaluate_run(run, judgements, topics, [*MEASURES, "judged@10"])
    assert scores.per_topic["map"] == {"found": 1.0, "missed": 0.0, "empty": 0.0}
    assert scores.per_topic["judged@10"] == {"found": 1.0, "missed": 0.0, "empty": 0.0}
    assert scores.means["ndcg@10"] == pytest.approx(1 / 3)
    assert (scores.topics, scores.unjudged_topics, scores.empty_topics) == (3, 1, 2)


def test_a_topic_without_relevant_documents_is_judged_and_scores_0():
    judgements = {"q1": {"a": 1}, "q2": {"a": 0, "b": 0}}
    run = {"q1": [("a", 1.0)], "q2": [("a", 1.0)]}
    scores = evaluate_run(run, judgements, ["q1", "q2"], [*MEASURES, "judged@10"])
    assert scores.topics == 2
    assert {name: values["q2"] for name, values in scores.per_topic.items()} == {
        **dict.fromkeys(MEASURES, 0.0),
        "judged@10": 1.0,
    }


def test_agrees_with_trec_eval_on_ties(tmp_path):
    # Expected values: pytrec-eval-terrier 0.5.11 (the C code of trec_eval) given these unrounded scores.
    # 25.000002 and 25.000001 are equal in its single precision; all scores of q2 are equal.
    judgements = {
        "q1": {"d1": 3, "d2": 0, "d3": 2, "d4": 1, "d9": 1},
        "q2": {"a": 1, "b": 2, "c": 0},
    }
    q1 = {"d1": 25.0, "d2": 25.000002, "d3": 25.0, "d4": 25.000001, "d5": 7.5, "d6": 30.0}
    q2 = dict.fromkeys(["a", "b", "c", "é", "Z"], 0.5)
    write_run(tmp_path / "run.txt", [("q1", list(q1.items())), ("q2", list(q2.items()))], tag="t")
    scores = evaluate_run(read_run(tmp_path / "run.txt"), judgements, ["q1", "q2"], MEASURES)
    expected = {
        "q1": {
            "map": 0.4,
            "mrr@10": 0.5,
            "precision@5": 0.6,
            "recall@2": 0.25,
            "ndcg@3": 0.13249650743056282,
            "ndcg@10": 0.5108951113874175,
        },
        "q2": {
            "map": 0.41666666666666663,
            "mrr@10": 0.3333333333333333,
            "precision@5": 0.4,
            "recall@2": 0.0,
            "ndcg@3": 0.38009376671593426,
            "ndcg@10": 0.543791241910304,
        },
    }
    for query_id, values in expected.items():
        found = {name: scores.per_topic[name][query_id] for name in values}
        assert found == pytest.approx(values, abs=1e-12)


def test_the_order_of_the_pairs_in_the_run_does_not_matter():
    judgements = {"q1": {"a": 1}}
    forwards = evaluate_run({"q1": [("b", 2.0), ("a", 1.0)]}, judgements, ["q1"], MEASURES)
    backwards = evaluate_run({"q1": [("a", 1.0), ("b", 2.0)]}, judgements, ["q1"], MEASURES)
    assert forwards == backwards
    assert forwards.means["mrr@10"] == 0.5


def test_no_judged_topic_and_no_result_are_errors():
    with pytest.raises(DataError, match="none of the 1 topics has a judgement"):
        evaluate_run({"q1": [("a", 1.0)]}, {"q2": {"a": 1}}, ["q1"], MEASURES)
    with pytest.raises(DataError, match="no result for any of the 1 judged topics"):
        evaluate_run({"other": [("a", 1.0)]}, {"q1": {"a": 1}}, ["q1"], MEASURES)


def test_an_unknown_measure_is_an_error():
    with pytest.raises(ConfigError, match="unknown measure 'ncdg@10', did you mean 'ndcg@10'"):
        evaluate_run({"q1": [("a", 1.0)]}, {"q1": {"a": 1}}, ["q1"], ["ncdg@10"])


def test_warm_up_covers_every_measure(recwarn):
    warm_up()
    assert not [warning for warning in recwarn if "unsafe cast" in str(warning.message)]
