from optical_cli.report.write_report import latex, markdown


def test_whose_translations_the_topics_are_is_said_below_every_table_that_shows_them(make_world, study_of):
    results = [*make_world({"none": 0.0, 0.1: 0.1}, "en-yo"), *make_world({"none": 0.0, 0.1: 0.1}, "yo-yo")]
    results += make_world({"none": 0.0, 0.1: 0.1}, "en-sw")
    study = study_of(results, translated={"en-yo": "two students", "en-sw": "two students", "en-te": "nobody"})
    for written in (markdown(study, "curve.svg"), latex(study)):
        assert written.count("Topics of en-yo, en-sw: translated by two students.") == 1
        assert "nobody" not in written
    assert "translated by" not in markdown(study_of(results), "curve.svg")
