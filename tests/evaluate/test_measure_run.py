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


def test_what_unjudged_documents_may_hide_by_hand():
    judgements = {"q": {"a": 2, "b": 1, "c": 0}}
    run = {"q": [("x", 9.0), ("a", 8.0), ("c", 7.0), ("y", 6.0), ("b", 5.0)]}  # x and y are not judged

    def gain(*grades):
        return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))

    ideal = {0: gain(2, 1), 1: gain(2, 2, 1), 2: gain(2, 2, 2, 1)}  # by the number of them that are relevant
    measures = ["ndcg@10", "condensed@10", "lowest@10", "highest@10", "lowest@2", "highest@2"]
    found = evaluate_run(run, judgements, ["q"], measures).means
    assert found["ndcg@10"] == pytest.approx(gain(0, 2, 0, 0, 1) / ideal[0])
    assert found["condensed@10"] == pytest.approx(gain(2, 0, 1) / ideal[0])
    every = {
        "neither": gain(0, 2, 0, 0, 1) / ideal[0],
        "x": gain(2, 2, 0, 0, 1) / ideal[1],
        "y": gain(0, 2, 0, 2, 1) / ideal[1],
        "both": gain(2, 2, 0, 2, 1) / ideal[2],
    }
    assert found["lowest@10"] == pytest.approx(min(every.values()))
    assert found["highest@10"] == pytest.approx(max(every.values()))
    assert found["highest@2"] == pytest.approx(gain(2, 2) / gain(2, 2))
    assert found["lowest@2"] == pytest.approx(gain(0, 2) / gain(2, 1))


def test_judging_a_document_gives_what_it_was_said_to_give():
    run = {"q": [("x", 3.0), ("a", 2.0), ("b", 1.0)]}
    before = evaluate_run(run, {"q": {"a": 1, "b": 0}}, ["q"], ["highest@10", "lowest@10"]).means
    judged = [
        evaluate_run(run, {"q": {"a": 1, "b": 0, "x": grade}}, ["q"], ["ndcg@10"]).means["ndcg@10"] for grade in (0, 1)
    ]
    assert (before["lowest@10"], before["highest@10"]) == pytest.approx((min(judged), max(judged)))


@pytest.mark.parametrize("cutoff", [1, 3, 10, 100])
def test_without_holes_all_ends_are_ndcg_itself(cutoff):
    judgements = {"q": {"a": 2, "b": 1, "c": 0}, "r": {"a": 0}}
    run = {"q": [("c", 9.0), ("b", 8.0), ("a", 7.0)]}
    names = [f"{kind}@{cutoff}" for kind in ("ndcg", "condensed", "lowest", "highest")]
    means = evaluate_run(run, judgements, ["q", "r"], names).means
    assert list(means.values()) == pytest.approx([means[names[0]]] * 4)


def test_the_ends_of_a_long_ranking_without_judgements_are_found_at_once():
    run = {"q": [(f"d{n}", -float(n)) for n in range(1000)]}
    found = evaluate_run(run, {"q": {"d999": 1}}, ["q"], ["lowest@1000", "highest@1000"]).means
    assert 0 < found["lowest@1000"] < 0.2 < found["highest@1000"] == 1.0


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
