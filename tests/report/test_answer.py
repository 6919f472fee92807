from math import inf

import pytest

from optical_cli.report.answer import MOST, answer
from optical_cli.report.findings import find
from optical_cli.report.study import Study


def test_one_pair_has_its_best_reg_with_its_mean_and_what_it_is_above(make_world, study_of):
    first, second = answer(study_of(make_world({0.02: 0.15, 0.1: 0.0, inf: 0.0})))
    assert first.startswith("reg 0.02 has the highest mean nDCG@10, 0.")
    assert second == "reg 0.02 is above reg inf (p < .05, corrected)."


def test_without_any_effect_nothing_is_claimed(make_world, study_of):
    text = " ".join(answer(study_of(make_world(dict.fromkeys((0.0, 0.02, 0.1, inf), 0.0), spread=0.15))))
    assert "reg inf is shown to be above another reg in 0 of 3 comparisons (p < .05, corrected)." in text
    assert "is above" not in text
    assert "is below" not in text


def test_a_baseline_that_is_above_the_best_reg_is_said_to_be(make_world, study_of):
    text = " ".join(answer(study_of(make_world({"bm25": 0.2, 0.02: 0.0, 0.1: -0.1}))))
    assert "reg 0.02 is below BM25 (p < .05, corrected)." in text


def test_pairs_that_differ_in_what_reg_does_are_named(make_world, study_of):
    one, other = make_world({0.1: 0.2, 1.0: 0.0}, "a-b"), make_world({0.1: 0.0, 1.0: 0.2}, "b-a", start=8)
    assert "The effect of reg differs between a-b and b-a (p < .05)." in answer(study_of([*one, *other]))
    alike = answer(study_of([*one, *make_world({0.1: 0.2, 1.0: 0.0}, "b-a", start=9)]))
    assert "It is not shown that the effect of reg differs between a-b and b-a." in alike


@pytest.mark.parametrize(("seeds", "said"), [((1,), True), ((1, 2), False)])
def test_one_seed_is_a_limit(make_world, study_of, seeds, said):
    bullets = answer(study_of(make_world({0.1: 0.0, 1.0: 0.0}, seeds=seeds)))
    assert ("Limits: one seed, so another training may give another result." in bullets) == said


def test_a_pooled_corpus_is_a_limit(make_world, study_of):
    bullets = answer(study_of(make_world({0.1: 0.0}, corpus="pooled 5000")))
    assert bullets[0].startswith("reg 0.1, the only reg that is scored, has a mean nDCG@10 of 0.")
    assert bullets[-1] == "Limits: figures on a pooled 5000 corpus do not compare with those of a full one."


def test_what_is_missing_and_what_is_in_doubt_is_counted(make_result, study_of):
    results = [
        make_result(reg=0.1, value=0.4, unconverged=500),
        make_result(reg=0.2, value=0.4),
        make_result(reg=0.5, failure="no"),
    ]
    limits = answer(study_of(results))[-1]
    assert "1 of 3 cells without scores" in limits
    assert "1 cell with transport plans that did not converge (†)" in limits


def test_baselines_alone_have_no_answer(make_result, study_of):
    results = [make_result(objective="bm25", value=0.3), make_result(objective="none", value=0.1)]
    assert answer(study_of(results)) == ["No reg has been scored yet."]


def test_the_best_reg_of_each_pair_is_named_with_its_pairs(make_world, study_of):
    one = make_world({"none": -0.2, 0.1: 0.2, 1.0: 0.0}, "a-b")
    other = make_world({"none": -0.2, 0.1: 0.0, 1.0: 0.2}, "b-a", start=8)
    third = make_world({"none": 0.2, 0.1: 0.2, 1.0: 0.0}, "b-b", start=9)
    first, second, *_ = answer(study_of([*one, *other, *third]))
    assert first == "The highest mean nDCG@10 is at reg 0.1 on a-b and b-b; reg 1 on b-a."
    assert second == (
        "The best reg of each pair is above the untrained start on 2 of 3 pairs (p < .05, corrected); not shown on b-b."
    )


def test_a_reg_that_is_best_on_every_pair_is_said_to_be(make_world, study_of):
    one, other = make_world({0.1: 0.2, 1.0: 0.0}, "a-b"), make_world({0.1: 0.2, 1.0: 0.0}, "b-a", start=8)
    assert answer(study_of([*one, *other]))[0] == "reg 0.1 has the highest mean nDCG@10 on both pairs."


def test_there_are_five_bullets_at_most_and_every_reference_is_in_one(make_world):
    effects = {"bm25": 0.3, "none": -0.3, "pooled_mse": 0.14, "greedy": 0.0, "run x": 0.1, 0.1: 0.1, inf: 0.0}
    other = {**effects, "none": 0.1}
    results = [*make_world(effects, "a-b", seeds=(1,)), *make_world(other, "b-a", seeds=(1,), start=8)]
    findings = find(results, ["ndcg@10"], "ndcg@10", low_resource=["a-b"])
    bullets = answer(Study("tiny", "sinkhorn", ["ndcg@10"], results, findings))
    assert len(bullets) == MOST
    text = " ".join(bullets)
    references = ("BM25", "the untrained start", "pooled MSE", "greedy alignment", "run x", "reg inf")
    assert all(reference in text for reference in references)
    assert "low-resource" in text
    assert text.count("Limits:") == 1


def test_text_of_data_stays_within_its_bullet(make_world, study_of):
    hostile = "a\n\n# b {{ 1 + 1 }} & <c>"
    bullets = answer(study_of(make_world({hostile: -0.2, 0.1: 0.2}, corpus=hostile)))
    assert not any("\n" in bullet for bullet in bullets)
    assert "above a # b {{ 1 + 1 }} & <c> (p" in bullets[1]
