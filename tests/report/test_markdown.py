from optical_cli.report.markdown import escape, markdown


def test_escapes_what_would_be_markup():
    assert escape("a|b\n`c` *d* _e_ [f](g) <h> \\ &amp;") == (
        "a\\|b \\`c\\` \\*d\\* \\_e\\_ \\[f\\](g) \\<h\\> \\\\ \\&amp;"
    )


def test_a_report_says_what_was_measured_and_what_failed(sweep, study_of):
    text = markdown(study_of(sweep, ["ndcg@10", "recall@100"], "my_run", "sinkhorn, idf marginals"), "curve.svg")
    assert text.startswith("# my\\_run\n")
    assert "![nDCG@10 against reg](curve.svg)" in text
    assert "- Corpus: full\n- Transport: sinkhorn, idf marginals\n- Seeds: 1, 2, 3 (figures are means over 3)\n" in text
    assert "- Cells: 26 scored, 4 failed, 0 not made" in text
    assert "## nDCG@10\n\n|  | sw-sw | en-sw |\n| --- | --: | --: |\n| no training (a) | 0.100 | 0.200 |" in text
    assert "| reg 0.02 | 0.420 | failed |" in text
    assert "| reg 0.02 | 0.840 | failed |" in text
    assert "| en-sw | full | 119 | 2 | 1 |" in text
    assert "| plans | plans that missed the threshold | share that met it | gradient norm (largest) | seconds |" in text
    assert "| reg 0.1 | 1000 | 0 | 1 | 2.5 | 1.5 |" in text
    assert "†" not in text
    assert "- sw-sw, reg 0.1, seed 2: 3 % of the plans \\| missed \\<1e-4\\>\n" in text
    assert text.count("seed") >= 4
    assert "**" not in text


def test_every_table_row_has_as_many_cells_as_its_head(sweep, make_result, study_of):
    results = [*sweep, make_result("a|b", 0.02, 0.3, corpus="candidates x|y")]
    rows = [
        line.replace("\\|", "") for line in markdown(study_of(results), "c.svg").split("\n") if line.startswith("|")
    ]
    table = [row.count("|") for row in rows[: 2 + 5]]
    assert table == [5] * 7


def test_without_failures_and_health_there_are_no_such_sections(make_result, study_of):
    text = markdown(study_of([make_result(reg=0.1)]), "c.svg")
    assert "Failures" not in text
    assert "| yo-yo | full | – | – | – |" in text


def test_a_student_of_plans_that_did_not_converge_is_marked_wherever_its_figures_stand(make_result, study_of):
    results = [
        make_result(reg=0.1, value=0.4, unconverged=10),  # 1 %, which is tolerated
        make_result(reg=0.02, value=0.5, unconverged=11),
        make_result(reg=0.02, value=0.7, seed=14),
    ]
    text = markdown(study_of(results, ["ndcg@10", "recall@100"]), "c.svg")
    note = "† More than 1 % of the transport plans of this training missed their threshold"
    assert "| reg 0.02 | 0.600 † |\n| reg 0.1 | 0.400 (1 of 2) |\n\n" + note in text
    assert text.count(note) == 3  # two measures, and health
    assert "| reg 0.02 † | 1000 | 0 to 11 | 0.989 to 1 |" in text
    assert "| reg 0.1 | 1000 | 10 | 0.99 |" in text


def test_tests_choice_and_answer_stand_in_it(make_world, study_of):
    text = markdown(study_of(make_world({"none": -0.15, 0.0: 0.1, 1.0: 0.0, float("inf"): 0.0})), "c.svg")
    assert "yo-yo (60 topics, 3 seeds): over 3 values of reg, mean nDCG@10 goes from" in text
    assert "## Tests of nDCG@10" in text
    assert "| yo-yo | full | reg 0 − reg inf | +0.1" in text
    assert "## Choosing reg" in text
    assert "| yo-yo | full | reg 0 100 % |" in text
    assert "**" not in text
