import pytest

from optical_cli.errors import ConfigError, DataError
from optical_cli.evaluate.fuse import fuse_runs

WORDS = {"q1": [("a", 9.0), ("bb", 5.0), ("c", 1.0)], "q2": [("a", 3.0)]}
DENSE = {"q1": [("bb", 0.9), ("d", 0.7)], "q3": [("c", 0.5), ("a", 0.1)]}


def test_rrf_adds_reciprocal_ranks_and_a_first_place_is_worth_one():
    fused = fuse_runs([WORDS, DENSE], "rrf", k=60)
    assert list(fused) == ["q1", "q2", "q3"]
    assert dict(fused["q1"]) == pytest.approx({"bb": 61 / 62 + 1, "a": 1, "d": 61 / 62, "c": 61 / 63}, abs=2e-6)
    assert [doc for doc, _ in fused["q1"]] == ["bb", "a", "d", "c"]
    assert fused["q2"] == [("a", 1.0)]
    assert dict(fuse_runs([WORDS, DENSE], "rrf", k=0)["q1"])["c"] == pytest.approx(1 / 3, abs=2e-6)


def test_sum_and_mnz_add_scores_scaled_from_0_to_1():
    assert dict(fuse_runs([WORDS, DENSE], "sum")["q1"]) == {"a": 1.0, "bb": 1.5, "c": 0.0, "d": 0.0}
    assert dict(fuse_runs([WORDS, DENSE], "mnz")["q1"]) == {"a": 1.0, "bb": 3.0, "c": 0.0, "d": 0.0}


@pytest.mark.parametrize(("method", "both"), [("sum", 2.0), ("mnz", 4.0)])
def test_equal_scores_are_each_the_best_and_so_is_an_only_hit(method, both):
    only, tied = {"q": [("a", 7.0)]}, {"q": [("a", 2.0), ("b", 2.0)]}
    assert fuse_runs([only, tied], method)["q"] == [("a", both), ("b", 1.0)]
    several = {"q": [("c", 9.0), ("d", 8.0), ("e", 1.0)]}
    order_of_trec_eval = ["c", "a", "d", "e"]
    assert [doc for doc, _ in fuse_runs([only, several], method)["q"]] == order_of_trec_eval


def test_low_ranks_stay_distinct_and_ties_keep_their_order():
    ranking = [(f"d{1999 - n}", float(-(n // 3))) for n in range(2000)]
    fused = fuse_runs([{"q": ranking}, {"q": [("other", 1.0)]}])["q"]
    assert [doc for doc, _ in fused if doc != "other"] == [doc for doc, _ in ranking]
    assert len(fuse_runs([{"q": ranking}, {"q": [("other", 1.0)]}], depth=10)["q"]) == 10


def test_one_run_and_runs_of_different_topics_are_refused():
    with pytest.raises(ConfigError, match="at least two runs expected, found 1"):
        fuse_runs([WORDS])
    with pytest.raises(DataError, match="no topic is in two of the runs"):
        fuse_runs([{"q1": [("a", 1.0)]}, {"q2": [("a", 1.0)]}])
