from optical_cli.report import text_curve


def test_a_block_a_pair_with_dots_on_axes_of_one_span(make_result):
    results = [
        make_result("a-b", 0.1, 0.5),
        make_result("a-b", 0.2, 0.3),
        make_result("a-b", objective="none", failure="no"),
        make_result("c-d", 0.1, 0.2),
        make_result("c-d", 0.2, 0.21),
    ]
    assert text_curve(results, "ndcg@10", width=49) == [
        "a-b  nDCG@10               0.30              0.51",
        "  untrained start  failed",
        "  reg 0.1          0.500                       ●",
        "  reg 0.2          0.300   ●",
        "",
        "c-d  nDCG@10               0.10              0.31",
        "  untrained start  –",
        "  reg 0.1          0.200             ●",
        "  reg 0.2          0.210              ●",
        "",
        "  ● mean",
    ]


def test_a_baseline_off_the_axis_is_an_arrow_and_does_not_flatten_the_rest(make_result):
    results = [
        make_result(reg=0.1, value=0.5),
        make_result(reg=0.2, value=0.52),
        make_result(objective="none", value=0.0),
    ]
    results += [make_result(objective="bm25", value=0.9)]
    lines = text_curve(results, "ndcg@10", width=60)
    assert lines[1].split() == ["BM25", "0.900", "▸"]
    assert lines[2].split() == ["untrained", "start", "0.000", "◂"]
    assert lines[4].index("●") - lines[3].index("●") > 20
    assert lines[-1] == "  ● mean   ◂ below the axis   ▸ above the axis"


def test_intervals_are_drawn_with_findings(make_world, study_of):
    study = study_of(make_world({0.1: 0.0, 1.0: 0.1}))
    lines = text_curve(study.results, "ndcg@10", study.findings, width=70)
    assert all(line.count("├") == line.count("●") == line.count("┤") == 1 for line in lines[2:4])
    assert "95 % interval" in lines[-1]
    assert max(map(len, lines)) <= 70


def test_lines_keep_to_the_width_and_name_seeds_and_corpus(sweep, make_result):
    lines = text_curve([*sweep, make_result("yo-yo", 0.1, 0.9, corpus="pooled 5000")], "recall@100", width=80)
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("sw-sw (full)  Recall@100, mean of 3 seeds") for line in lines)
    assert any(line.startswith("yo-yo (pooled 5000)  Recall@100, mean of 3 seeds") for line in lines)


def test_nothing_scored_is_no_dot(make_result):
    assert text_curve([], "ndcg@10") == []
    assert text_curve([make_result(reg=0.0, failure="no")], "ndcg@10")[1:] == ["  reg 0  failed"]
