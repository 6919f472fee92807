import math
from dataclasses import replace

import numpy as np
import pytest

from optical_cli.report.answer import answer
from optical_cli.report.findings import find
from optical_cli.report.page import page
from optical_cli.report.study import Study
from optical_cli.report.write_report import markdown


@pytest.fixture
def study(make_world):
    """Two low-resource pairs that gain 0.2 from reg 0.1 against reg inf, and one other that gains 0.1."""
    results = [
        *make_world({"none": -0.2, 0.1: 0.0, math.inf: -0.2}, "yo-yo", start=1, spread=0.02),
        *make_world({"none": -0.2, 0.1: 0.0, math.inf: -0.2}, "sw-en", start=2, topics=40, spread=0.02),
        *make_world({"none": -0.1, 0.1: 0.2, math.inf: 0.1}, "hi-hi", start=3, spread=0.02),
        *make_world({"bm25-folding": 0.3}, "hi-hi", start=3),  # the others have none, so it has no gap
    ]
    findings = find(results, ["ndcg@10"], "ndcg@10", low_resource=["yo-yo", "sw-en"])
    return Study("gap", "sinkhorn", ["ndcg@10"], results, findings)


def mean_of(study, pair, setting):
    values = [r.scores.means["ndcg@10"] for r in study.results if (r.pair, r.setting) == (pair, setting)]
    return float(np.mean(values))


def test_every_pair_counts_alike_and_a_setting_that_one_lacks_has_no_gap(study):
    (gaps,) = study.findings.gaps
    assert (gaps.corpus, gaps.low, gaps.high) == ("full", ("yo-yo", "sw-en"), ("hi-hi",))
    assert [gap.setting.label for gap in gaps.by_setting] == ["untrained start", "reg 0.1", "reg inf"]
    for gap in gaps.by_setting:
        low = (mean_of(study, "yo-yo", gap.setting) + mean_of(study, "sw-en", gap.setting)) / 2
        assert gap.low == pytest.approx(low)
        assert gap.value == pytest.approx(mean_of(study, "hi-hi", gap.setting) - low)
        assert gap.interval.low < gap.value < gap.interval.high


def test_what_a_setting_does_to_the_gap_is_set_against_each_reference(study):
    (gaps,) = study.findings.gaps
    _, sharp, blunt = gaps.by_setting
    changes = {reference.label: (change, interval) for reference, change, interval in sharp.changes}
    assert set(changes) == {"untrained start", "reg inf"}
    change, interval = changes["reg inf"]
    assert change == pytest.approx(sharp.value - blunt.value)
    assert interval.low < change < interval.high < 0  # -0.1 is narrower
    assert interval.high - interval.low < sharp.interval.high - sharp.interval.low  # the same topics on both sides


def test_pairs_with_the_same_topics_draw_them_together(make_world):
    """The gap of two pairs that are alike topic by topic is known: no draw of topics moves it."""
    one, other = (make_world({0.1: 0.0}, pair, seeds=(1,)) for pair in ("yo-yo", "hi-hi"))
    (gaps,) = find([*one, *other], ["ndcg@10"], "ndcg@10", low_resource=["yo-yo"]).gaps
    (gap,) = gaps.by_setting
    assert (gap.value, gap.interval.low, gap.interval.high) == pytest.approx((0, 0, 0))


def test_the_interval_has_the_width_that_is_known_for_independent_topics(make_world):
    one, other = (make_world({0.1: 0.0}, *own, seeds=(1,)) for own in (("yo-yo",), ("hi-hi",)))
    renamed = []
    for result in other:
        scores = {f"x{topic}": value for topic, value in result.scores.per_topic["ndcg@10"].items()}
        renamed.append(replace(result, scores=replace(result.scores, per_topic={"ndcg@10": scores})))
    (gaps,) = find([*one, *renamed], ["ndcg@10"], "ndcg@10", low_resource=["yo-yo"]).gaps
    (gap,) = gaps.by_setting
    values = np.array(list(one[0].scores.per_topic["ndcg@10"].values()))
    known = 2 * 1.96 * math.sqrt(2 * values.var(ddof=1) / 60)
    assert gap.interval.high - gap.interval.low == pytest.approx(known, rel=0.06)


@pytest.mark.parametrize("low", [[], ["yo-yo", "sw-en", "hi-hi"], ["elsewhere"]])
def test_without_pairs_of_both_kinds_there_is_no_gap(study, low):
    assert find(study.results, ["ndcg@10"], "ndcg@10", low_resource=low).gaps == ()


def test_corpora_are_kept_apart(make_world):
    results = [*make_world({0.1: 0.0}, "yo-yo"), *make_world({0.1: 0.0}, "hi-hi", corpus="pooled 5000")]
    assert find(results, ["ndcg@10"], "ndcg@10", low_resource=["yo-yo"]).gaps == ()


def test_every_form_says_which_pairs_and_how_far(study):
    said = " ".join(answer(study))
    assert "Mean nDCG@10 of the other pairs less that of the low-resource pairs: +0." in said
    text = markdown(study, "curve.svg")
    assert "<summary>Gap between low-resource and other pairs</summary>" in text
    assert "| untrained start (b) | full |" in text
    assert "low-resource: yo-yo, sw-en, others: hi-hi (corpus full)" in text
    drawn = page(study)
    assert '<h3 id="gap-curves">' in drawn
    assert "nDCG@10 of hi-hi less that of yo-yo, sw-en, against reg. untrained start:" in drawn
