from math import inf

import pytest

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings import find, significance

NAMES = {("a-b", "full"): "a-b", ("b-a", "full"): "b-a", ("b-b", "full"): "b-b"}


@pytest.fixture
def found(make_world):
    def make(*worlds, **settings):
        results = [
            result
            for number, (pair, effects) in enumerate(worlds)
            for result in make_world(effects, pair, start=number, **settings)
        ]
        return find(results, ["ndcg@10"], "ndcg@10")

    return make


def against(findings, best):
    best = {(pair, "full"): Setting("transport", reg) for pair, reg in best.items()}
    return significance.best_against_references(findings, best, NAMES)


def test_pairs_are_counted_and_those_without_a_difference_are_named(found):
    findings = found(("a-b", {0.1: 0.2, inf: 0.0}), ("b-a", {0.1: 0.2, inf: 0.0}), ("b-b", {0.1: 0.0, inf: 0.0}))
    said = "reg 0.1 is above reg inf on 2 of 3 pairs (p < .05, corrected); not shown on b-b."
    assert against(findings, dict.fromkeys(("a-b", "b-a", "b-b"), 0.1)) == [said]


def test_references_with_one_outcome_share_a_sentence(found):
    findings = found(("a-b", {"bm25": -0.2, "none": -0.3, 0.1: 0.2}))
    said = "reg 0.1 is above BM25 and the untrained start (p < .05, corrected)."
    assert against(findings, {"a-b": 0.1}) == [said]
    same = found(("a-b", {"bm25": 0.0, "none": 0.0, 0.1: 0.0}))
    assert against(same, {"a-b": 0.1}) == ["reg 0.1 is not shown to differ from BM25 or the untrained start."]


def test_a_reference_of_some_pairs_is_counted_over_those(found):
    findings = found(("a-b", {"bm25": -0.2, 0.1: 0.2}), ("b-a", {"bm25": -0.2, 0.1: 0.2}), ("b-b", {0.1: 0.0}))
    said = "reg 0.1 is above BM25 on both pairs that have it (p < .05, corrected)."
    assert against(findings, dict.fromkeys(("a-b", "b-a", "b-b"), 0.1)) == [said]


def test_a_reference_of_one_pair_is_compared_there(found):
    findings = found(("a-b", {"bm25": 0.0, 0.1: 0.0}), ("b-a", {0.1: 0.0}))
    said = "reg 0.1 is not shown to differ from BM25 on the pair that has it."
    assert against(findings, dict.fromkeys(("a-b", "b-a"), 0.1)) == [said]


def test_a_reference_that_is_the_best_reg_is_not_compared_with_itself(found):
    findings = found(("a-b", {0.1: 0.2, inf: 0.0}), ("b-a", {0.1: 0.0, inf: 0.2}))
    (said,) = against(findings, {"a-b": 0.1, "b-a": inf})
    assert said == (
        "The best reg of each pair is above reg inf on 1 of 2 pairs (p < .05, corrected); reg inf is the best reg "
        "itself on b-a."
    )


def test_every_comparison_of_a_pair_is_in_a_sentence(found):
    findings = found(("a-b", {"none": -0.3, 0.02: 0.2, 0.1: 0.0, inf: 0.0}))
    of_start, of_inf = significance.on_one_pair(findings.comparisons)
    assert of_start == "Against the untrained start: every reg higher."
    assert of_inf.startswith(
        "Against reg inf: reg 0.02 higher; reg 0.1 not shown to differ (detectable difference: 0.0"
    )


def test_outcomes_are_counted_in_comparisons(found):
    findings = found(("a-b", {0.02: 0.2, 0.1: 0.0, inf: 0.0}), ("b-a", {0.02: 0.0, 0.1: -0.2, inf: 0.0}))
    said = "Against reg inf: of 4 comparisons (a reg on a pair), 1 higher, 1 lower, 2 not shown to differ."
    assert significance.totals(findings) == [said]


@pytest.mark.parametrize(("seeds", "over"), [((1,), "topics"), ((1, 2), "topics and seeds")])
def test_the_tests_are_explained_with_their_seeds_and_their_number(found, seeds, over):
    findings = found(("a-b", {"none": 0.0, 0.1: 0.2, inf: 0.0}), seeds=seeds)
    text = " ".join(significance.how_tested(findings, len(seeds)))
    assert f"is a bootstrap over {over}. " in text
    assert "corrected for all 3 rows" in text
    assert ("With one seed the tests are about these students" in text) == (len(seeds) == 1)
    assert ("Seeds that agree" in text) == (len(seeds) > 1)


def test_the_legend_names_what_the_letters_stand_for(found):
    findings = found(("a-b", {"none": 0.0, 0.1: 0.2, inf: 0.0}))
    marks = "▲ above, ▼ below the untrained start (a) or reg inf (b): "
    assert significance.legend(findings).startswith(f"{marks}p < .05, corrected for 3 tests. ")
    assert significance.legend_in_full(findings, "topics").startswith(f"{marks}paired randomization test")


@pytest.fixture
def flat(make_world):
    """Two pairs: on the first reg 0.1 does what reg inf does, on the second it does more."""
    results = [
        *make_world({0.1: 0.0, inf: 0.0}, "a-b", spread=0.01),
        *make_world({0.1: 0.2, inf: 0.0}, "b-a", spread=0.01),
    ]
    return lambda **settings: find(results, ["ndcg@10"], "ndcg@10", **settings)


def test_with_a_margin_equivalence_is_shown_and_named(flat):
    findings = flat(margin=0.05)
    same, higher = findings.comparisons
    assert (same.mark, same.equivalent, higher.mark, higher.equivalent) == ("", True, "▲", False)
    assert (findings.marks("a-b", "full", same.setting), findings.marks("b-a", "full", same.setting)) == ("≡a", "▲a")
    assert against(findings, {"a-b": 0.1, "b-a": 0.1}) == [
        "reg 0.1 is above reg inf on 1 of 2 pairs (p < .05, corrected); equivalent within 0.05 on a-b."
    ]
    assert against(findings, {"a-b": 0.1}) == ["reg 0.1 is equivalent within 0.05 to reg inf (p < .05, corrected)."]
    assert significance.on_one_pair([same]) == ["Against reg inf: reg 0.1 equivalent within 0.05."]
    assert significance.totals(findings) == [
        "Against reg inf: of 2 comparisons (a reg on a pair), 1 higher, 0 lower, 1 equivalent within 0.05, 0 not "
        "decided."
    ]
    assert "≡ equivalent to it within 0.05: two one-sided tests, p < .05, corrected." in significance.legend(findings)
    assert any("(TOST)" in line for line in significance.how_tested(findings, 1))


def test_a_margin_that_the_topics_cannot_resolve_decides_nothing(flat):
    findings = flat(margin=1e-5)
    assert findings.marks("a-b", "full", findings.comparisons[0].setting) == ""
    (said,) = significance.on_one_pair(findings.comparisons[:1])
    assert said.startswith("Against reg inf: reg 0.1 not decided (detectable difference: ")


def test_without_a_margin_equivalence_is_neither_tested_nor_named(flat):
    findings = flat()
    assert [(one.p_equivalent, one.corrected_equivalent, one.equivalent) for one in findings.comparisons] == [
        (None, None, False)
    ] * 2
    assert "≡" not in significance.legend(findings)
    assert not any("TOST" in line for line in significance.how_tested(findings, 1))


def test_p_values_of_equivalence_are_corrected_over_the_report(flat):
    both = flat(margin=0.05).comparisons
    assert both[0].corrected_equivalent == pytest.approx(2 * both[0].p_equivalent)
