from optical_cli.report.markdown import escape, markdown


def test_escapes_what_would_be_markup():
    assert escape("a|b\n`c` *d* _e_ [f](g) <h> \\ &amp;") == (
        "a\\|b \\`c\\` \\*d\\* \\_e\\_ \\[f\\](g) \\<h\\> \\\\ \\&amp;"
    )


def test_a_report_says_what_was_measured_and_what_failed(sweep):
    text = markdown(sweep, ["ndcg@10", "recall@100"], "my_run", "ndcg@10", "curve.svg")
    assert text.startswith("# my\\_run\n")
    assert "![nDCG@10 against reg](curve.svg)" in text
    assert "- Corpus: full\n- Seeds: 1, 2, 3 (figures are means over 3)\n" in text
    assert "- Cells: 26 scored, 4 failed, 0 not made" in text
    assert "## nDCG@10\n\n|  | sw-sw | en-sw |\n| --- | --: | --: |\n| no training | 0.100 | 0.200 |" in text
    assert "| reg 0.02 | 0.420 | failed |" in text
    assert "| reg 0.02 | 0.840 | failed |" in text
    assert "| en-sw | full | 119 | 2 | 1 |" in text
    assert "| reg 0.1 | 0.999 | 1.5 |" in text
    assert "- sw-sw, reg 0.1, seed 2: 3 % of the plans \\| missed \\<1e-4\\>\n" in text
    assert text.count("seed") >= 4
    assert "**" not in text


def test_every_table_row_has_as_many_cells_as_its_head(sweep, make_result):
    results = [*sweep, make_result("a|b", 0.02, 0.3, corpus="candidates x|y")]
    rows = [
        line.replace("\\|", "")
        for line in markdown(results, ["ndcg@10"], "x", "ndcg@10", "c.svg").split("\n")
        if line.startswith("|")
    ]
    table = [row.count("|") for row in rows[: 2 + 5]]
    assert table == [5] * 7


def test_without_failures_and_health_there_are_no_such_sections(make_result):
    text = markdown([make_result(reg=0.1)], ["ndcg@10"], "x", "ndcg@10", "c.svg")
    assert "Failures" not in text
    assert "| yo-yo | full | – | – | – |" in text
