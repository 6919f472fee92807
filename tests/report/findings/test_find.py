from math import inf

import pytest

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings import find

REG = {reg: Setting("transport", reg) for reg in (0.02, 0.1, inf)}


def found(results, **settings):
    return find(results, ["ndcg@10"], "ndcg@10", **settings)


def test_every_baseline_and_reg_inf_are_references_unless_others_are_named(make_world):
    world = make_world({"bm25": 0.1, "none": -0.1, 0.02: 0.0, inf: 0.0})
    default = found(world)
    assert [setting.label for setting in default.references] == ["BM25", "untrained start", "reg inf"]
    assert [default.letter(setting) for setting in default.references] == ["a", "b", "c"]
    named = found(world, reference=[0.02, "none"])
    assert [setting.label for setting in named.references] == ["reg 0.02", "untrained start"]
    assert len(named.comparisons) == 1 + 2


def test_bm25_as_a_reference_is_that_of_every_analyzer(make_world):
    world = make_world({"bm25-folding": 0.1, "bm25-whitespace": -0.1, 0.02: 0.0})
    named = found(world, reference=["bm25"])
    assert [setting.label for setting in named.references] == ["BM25 folding", "BM25 whitespace"]
    assert len(named.comparisons) == 2


def test_the_tag_of_another_system_is_shown_as_it_is():
    assert Setting("run bm25-lucene", None).label == "run bm25-lucene"


def test_a_mark_needs_the_corrected_test_and_the_interval_over_seeds(make_world):
    world = make_world({0.02: 0.1, 0.1: -0.1, inf: 0.0})
    findings = found(world)
    assert findings.marks("yo-yo", "full", REG[0.02]) == "▲a"
    assert findings.marks("yo-yo", "full", REG[0.1]) == "▼a"
    assert findings.marks("yo-yo", "full", REG[inf]) == ""


def test_seeds_that_disagree_take_the_mark_away(make_world):
    base = make_world({inf: 0.0})
    shifted = [
        result
        for seed, shift in ((1, 0.25), (2, -0.1), (3, 0.02))
        for result in make_world({0.1: shift}, seeds=(seed,))
    ]
    (one,) = found([*base, *shifted]).comparisons
    assert one.corrected < 0.05
    assert one.low < 0 < one.high
    assert one.mark == ""
    assert (one.seeds, one.agreeing) == (3, 2)


def test_the_family_of_the_correction_is_the_whole_report(make_world):
    one = make_world({0.1: 0.05, inf: 0.0}, "a-b")
    alone = found(one).comparisons[0]
    beside = found([*one, *make_world({0.1: 0.05, inf: 0.0}, "b-a", start=8)]).comparisons[0]
    assert beside.p == alone.p  # its draws do not depend on what else is there
    assert beside.corrected >= alone.corrected == alone.p


def test_a_baseline_of_one_seed_stands_against_every_seed(make_world):
    comparison = found(make_world({"bm25": 0.0, 0.1: 0.1})).comparisons[0]
    assert (comparison.reference.label, comparison.seeds) == ("BM25", 3)


def test_pairs_need_not_have_every_row(make_world):
    findings = found([*make_world({"bm25": 0.1, 0.02: 0.0, 0.1: 0.0}), *make_world({0.02: 0.0, inf: 0.0}, "en-yo")])
    compared = {(one.pair, one.setting.label, one.reference.label) for one in findings.comparisons}
    assert compared == {("yo-yo", "reg 0.02", "BM25"), ("yo-yo", "reg 0.1", "BM25"), ("en-yo", "reg 0.02", "reg inf")}
    assert findings.interactions == ()  # one reg in common


def test_pooled_and_full_pairs_are_not_put_into_one_test(make_world):
    worlds = [
        make_world({0.02: 0.0, 0.1: 0.0}, pair, corpus=corpus)
        for pair, corpus in [("a-b", "full"), ("b-a", "full"), ("b-b", "pooled 5")]
    ]
    (interaction,) = found([result for world in worlds for result in world]).interactions
    assert (interaction.corpus, interaction.pairs, interaction.same_topics) == ("full", ("a-b", "b-a"), True)


def test_topics_that_moved_most_come_first(make_world):
    world = make_world({0.02: 0.2, inf: 0.0}, seeds=(1,))
    (moved,) = found(world).moved
    assert (moved.setting, moved.reference) == (REG[0.02], REG[inf])
    changes = [mover.difference for mover in moved.gained]
    assert changes == sorted(changes, reverse=True)
    own, others = (result.scores.per_topic["ndcg@10"] for result in world)
    assert moved.gained[0].difference == pytest.approx(max(own[topic] - others[topic] for topic in own))


def test_one_topic_has_no_interval_and_no_test(make_result):
    findings = found([make_result(reg=0.1, value=0.4), make_result(reg=inf, value=0.2)])
    assert (dict(findings.intervals), findings.comparisons, findings.choices) == ({}, (), ())


def test_scores_over_different_topics_are_refused(make_world):
    with pytest.raises(ValueError, match="scored on other topics"):
        found([*make_world({0.1: 0.0}), *make_world({inf: 0.0}, topics=50)])


def test_an_interaction_has_to_be_repeated_by_the_seeds(make_world):
    crossed = [
        result
        for pair, effects in {"a-b": {0.1: 0.1, 1.0: 0.0}, "b-a": {0.1: 0.0, 1.0: 0.1}}.items()
        for result in make_world(effects, pair, spread=0.05)
    ]
    (repeated,) = found(crossed).interactions
    assert repeated.p_seeds < 0.05
    assert repeated.shown
    whims = [
        result
        for seed, shift in ((1, 0.3), (2, -0.1), (3, 0.0))
        for pair, effects in {"a-b": {0.1: shift, 1.0: 0.0}, "b-a": {0.1: 0.0, 1.0: 0.0}}.items()
        for result in make_world(effects, pair, spread=0.05, seeds=(seed,))
    ]
    (of_some,) = found(whims).interactions
    assert of_some.p < 0.05
    assert not of_some.shown
    (of_one,) = found([result for result in crossed if result.seed == 1]).interactions
    assert (of_one.p_seeds, of_one.shown) == (None, True)
