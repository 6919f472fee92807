from optical_cli.report import text_curve


def test_a_block_a_pair_with_bars_to_scale(make_result):
    results = [
        make_result("a-b", 0.1, 0.5),
        make_result("a-b", 0.2, 0.25),
        make_result("a-b", objective="none", failure="no"),
        make_result("c-d", 0.1, 0.0),
        make_result("c-d", 0.2, 0.03125),
    ]
    assert text_curve(results, "ndcg@10", width=33) == [
        "a-b  nDCG@10",
        "  no training  failed",
        "  reg 0.1      0.500   " + "█" * 10,
        "  reg 0.2      0.250   " + "█" * 5,
        "",
        "c-d  nDCG@10",
        "  no training  –",
        "  reg 0.1      0.000",
        "  reg 0.2      0.031   ▋",
    ]


def test_lines_keep_to_the_width_and_name_seeds_and_corpus(sweep, make_result):
    lines = text_curve([*sweep, make_result("yo-yo", 0.1, 0.9, corpus="pooled 5000")], "recall@100", width=60)
    assert max(map(len, lines)) == 60
    assert "sw-sw (full)  Recall@100, mean of 3 seeds" in lines
    assert "yo-yo (pooled 5000)  Recall@100, mean of 3 seeds" in lines


def test_nothing_scored_is_no_bar(make_result):
    assert text_curve([], "ndcg@10") == []
    assert text_curve([make_result(reg=0.0, failure="no")], "ndcg@10") == [
        "yo-yo  nDCG@10",
        "  reg 0  failed",
    ]
