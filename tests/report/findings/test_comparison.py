from math import inf

import pytest

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings import duels

SHARP, BLUNT, NONE = Setting("transport", 0.1), Setting("transport", inf), Setting("none", None)


def test_every_topic_is_there_the_largest_gain_first(make_world):
    (duel,) = duels(make_world({0.1: 0.1, inf: 0.0, 1.0: 0.3}), SHARP, BLUNT, "ndcg@10", 13)
    changes = [topic.difference for topic in duel.topics]
    assert len(changes) == 60
    assert changes == sorted(changes, reverse=True)
    assert duel.mean - duel.reference_mean == pytest.approx(duel.comparison.difference)
    assert duel.comparison.wins == sum(change > 0 for change in changes)


def test_two_baselines_can_be_compared(make_world):
    (duel,) = duels(make_world({"none": -0.1, "bm25": 0.0}), NONE, Setting("bm25", None), "ndcg@10", 13)
    assert duel.comparison.mark == "▼"


def test_pairs_that_lack_one_of_the_two_are_left_out_of_the_family(make_world):
    worlds = [*make_world({0.1: 0.1, inf: 0.0}, "a-b"), *make_world({0.1: 0.1}, "b-a")]
    (duel,) = duels(worlds, SHARP, BLUNT, "ndcg@10", 13)
    assert duel.comparison.pair == "a-b"
    assert duel.comparison.corrected == duel.comparison.p
