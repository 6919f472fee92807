from math import inf

from optical_cli.report.pair_by_pair import pair_by_pair


def test_a_pair_has_its_range_its_tests_and_the_worth_of_a_choice(make_world, study_of):
    (text,) = pair_by_pair(study_of(make_world({0.02: 0.15, 0.1: 0.0, inf: 0.0})))
    assert text.startswith("yo-yo (60 topics, 3 seeds): mean nDCG@10 ranges from 0.")
    assert " (reg 0.02) over 3 values of reg. " in text
    assert "Against reg inf: reg 0.02 higher; reg 0.1 not shown to differ (detectable difference: 0.0" in text
    assert (
        "(the choice is reg 0.02 in 100 % of the cases); reg 0.02, the best on all topics, overstates this by" in text
    )


def test_what_held_out_bitext_chooses_is_said_apart_from_what_that_scores(make_world, study_of):
    held_out = {0.02: {"p@1": 0.4, "transport_cost": 0.2}, 0.1: {"p@1": 0.6, "transport_cost": 0.4}}
    (text,) = pair_by_pair(study_of(make_world({0.02: 0.2, 0.1: 0.0}, held_out=held_out)))
    assert "The held-out bitext chooses reg 0.1 (best P@1), whose mean nDCG@10 is 0." in text
    assert "The held-out bitext chooses reg 0.02 (best transport cost), whose mean nDCG@10 is 0." in text


def test_a_corpus_that_is_not_full_is_named(make_world, study_of):
    (text,) = pair_by_pair(study_of(make_world({0.1: 0.0}, corpus="pooled\n5000")))
    assert text.startswith("yo-yo (60 topics, 3 seeds, corpus pooled 5000): nDCG@10 is 0.")


def test_baselines_alone_have_no_paragraph(make_result, study_of):
    assert pair_by_pair(study_of([make_result(objective="bm25", value=0.3)])) == []
