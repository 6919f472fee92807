from math import inf

import pytest

from optical_cli.report.answer import answer


def test_a_difference_that_is_shown_is_said_and_one_that_is_not_is_not(make_world, study_of):
    text = answer(study_of(make_world({0.02: 0.15, 0.1: 0.0, inf: 0.0})))[0]
    said = "Against reg inf, reg 0.02 scored higher and for reg 0.1 no difference was shown (detectable with 80 % power"
    assert f"{said}, uncorrected: 0.0" in text


def test_without_any_effect_nothing_is_claimed(make_world, study_of):
    text = " ".join(answer(study_of(make_world(dict.fromkeys((0.0, 0.02, 0.1, inf), 0.0), spread=0.15))))
    assert "for every other reg no difference was shown" in text
    assert "higher" not in text
    assert "lower" not in text


def test_the_choice_says_how_far_the_best_on_test_overstates(make_world, study_of):
    held_out = {0.02: {"p@1": 0.4, "transport_cost": 0.2}, 0.1: {"p@1": 0.6, "transport_cost": 0.4}}
    text = answer(study_of(make_world({0.02: 0.2, 0.1: 0.0}, held_out=held_out)))[0]
    assert "A reg chosen on some topics scored 0." in text
    assert "(reg 0.02 in 100 % of the choices)" in text
    assert "On the held-out bitext, reg 0.1 is best by P@1: 0." in text
    assert "On the held-out bitext, reg 0.02 is best by transport cost: 0." in text


def test_pairs_that_differ_in_what_reg_does_are_named(make_world, study_of):
    one, other = make_world({0.1: 0.2, 1.0: 0.0}, "a-b"), make_world({0.1: 0.0, 1.0: 0.2}, "b-a", start=8)
    text = answer(study_of([*one, *other]))[1]
    assert text.startswith("The effect of reg was shown to differ between a-b and b-a, in shape or in size (")
    alike = answer(study_of([*one, *make_world({0.1: 0.2, 1.0: 0.0}, "b-a", start=9)]))[1]
    assert alike.startswith("The effect of reg was not shown to differ between a-b and b-a")


@pytest.mark.parametrize(("seeds", "said"), [((1,), True), ((1, 2), False)])
def test_one_seed_is_said_to_be_one(make_world, study_of, seeds, said):
    text = " ".join(answer(study_of(make_world({0.1: 0.0, 1.0: 0.0}, seeds=seeds))))
    assert ("With one seed, nothing here shows" in text) == said


def test_a_pooled_corpus_is_said_wherever_a_figure_stands(make_world, study_of):
    paragraphs = answer(study_of(make_world({0.1: 0.0}, corpus="pooled 5000")))
    assert paragraphs[0] == "Figures on a pooled 5000 corpus do not compare with those of a full one."
    assert paragraphs[1].startswith("yo-yo (60 topics, 3 seeds, corpus pooled 5000): nDCG@10 is 0.")


def test_what_is_missing_and_what_is_in_doubt_is_counted(make_result, study_of):
    results = [
        make_result(reg=0.1, value=0.4, unconverged=500),
        make_result(reg=0.2, value=0.4),
        make_result(reg=0.5, failure="no"),
    ]
    text = answer(study_of(results))[0]
    assert "1 of 3 cells have no scores." in text
    assert "marked †" in text


def test_baselines_alone_have_no_curve_to_speak_of(make_result, study_of):
    assert answer(study_of([make_result(objective="bm25", value=0.3), make_result(objective="none", value=0.1)])) == []


def test_several_pairs_are_summed_up_first(make_world, study_of):
    one = make_world({"none": -0.2, 0.1: 0.2, 1.0: 0.0}, "a-b")
    other = make_world({"none": -0.2, 0.1: 0.0, 1.0: 0.2}, "b-a", start=8)
    third = make_world({"none": 0.0, 0.1: 0.2, 1.0: 0.0}, "b-b", start=9)
    text = answer(study_of([*one, *other, *third]))[0]
    assert text.startswith("The highest mean nDCG@10 is at reg 0.1 on 2 and reg 1 on 1 of 3 pairs.")
    assert "Against no training, 5 of 6 values of reg scored higher, 0 lower, and 1 were not shown to differ." in text


def test_references_of_which_the_same_is_to_be_said_share_a_sentence(make_world, study_of):
    text = " ".join(answer(study_of(make_world({"bm25": -0.2, "none": -0.3, 0.1: 0.2, 1.0: 0.2}))))
    assert "Against BM25 and no training, every reg scored higher." in text


def test_a_reg_that_is_best_on_every_pair_is_said_to_be(make_world, study_of):
    one, other = make_world({0.1: 0.2, 1.0: 0.0}, "a-b"), make_world({0.1: 0.2, 1.0: 0.0}, "b-a", start=8)
    text = answer(study_of([*one, *other]))[0]
    assert text.startswith("reg 0.1 has the highest mean nDCG@10 on all 2 pairs.")


def test_text_of_data_stays_within_its_paragraph(make_world, study_of):
    hostile = "a\n\n# b {{ 1 + 1 }} & <c>"
    study = study_of(make_world({hostile: -0.2, 0.1: 0.2}, corpus=hostile))
    paragraphs = answer(study)
    assert len(paragraphs) == 2
    assert "corpus a # b {{ 1 + 1 }} & <c>): " in paragraphs[1]
    assert "Against a # b {{ 1 + 1 }} & <c>, " in paragraphs[1]
