import pytest

from optical_cli.report import tabulate


def texts(table):
    return {row.label: [cell.text for cell in row.cells] for row in table.rows}


def test_rows_are_in_grid_order_and_cells_are_means_over_seeds(sweep):
    table = tabulate(sweep, ["ndcg@10"])
    assert table.seeds == 3
    assert [column.head for column in table.columns] == ["sw-sw nDCG@10", "en-sw nDCG@10"]
    assert texts(table) == {
        "untrained start": ["0.100", "0.200"],
        "reg 0": ["0.520", "0.520"],
        "reg 0.02": ["0.420", "failed"],
        "reg 0.1": ["0.320 (2 of 3)", "0.320"],
        "reg inf": ["0.220", "0.220"],
    }
    assert list(texts(table)) == ["untrained start", "reg 0", "reg 0.02", "reg 0.1", "reg inf"]


def test_baselines_come_first_in_a_fixed_order(make_result):
    objectives = ["greedy", "pooled_mse", "mine", "none", "bm25"]
    results = [make_result(value=0.1, objective=objective) for objective in objectives]
    labels = [row.label for row in tabulate([make_result(reg=0.0, value=0.3), *results], ["ndcg@10"]).rows]
    assert labels == ["BM25", "untrained start", "pooled MSE", "greedy alignment", "mine", "reg 0"]


def test_what_was_not_made_is_a_dash_and_never_0(make_result):
    results = [make_result("a", 0.1, 0.0), make_result("b", 0.2, 0.5), make_result("b", 0.3)]
    table = tabulate(results, ["ndcg@10", "map"])
    assert texts(table) == {
        "reg 0.1": ["0.000", "–", "–", "–"],
        "reg 0.2": ["–", "–", "0.500", "–"],
        "reg 0.3": ["–", "–", "–", "–"],
    }


def test_corpus_modes_stand_in_the_heads_unless_all_are_full(make_result):
    full, pooled = make_result(reg=0.1, value=0.2), make_result(reg=0.1, value=0.6, corpus="pooled 5000")
    assert [column.pair_head for column in tabulate([full], ["ndcg@10"]).columns] == ["yo-yo"]
    assert [column.pair_head for column in tabulate([pooled], ["ndcg@10"]).columns] == ["yo-yo (pooled 5000)"]
    mixed = tabulate([full, pooled], ["ndcg@10"])
    assert [column.pair_head for column in mixed.columns] == ["yo-yo (full)", "yo-yo (pooled 5000)"]
    assert texts(mixed) == {"reg 0.1": ["0.200", "0.600"]}


def test_a_cell_twice_is_refused(make_result):
    with pytest.raises(ValueError, match="two results for one cell"):
        tabulate([make_result(reg=0.1, value=0.2), make_result(reg=0.1, value=0.3)], ["ndcg@10"])


def test_a_failure_with_a_score_is_refused(make_result):
    with pytest.raises(ValueError, match="a failed cell has no scores"):
        make_result(reg=0.1, value=0.2, failure="no")


def test_a_figure_in_doubt_is_marked_and_the_table_says_what_the_mark_means(make_result):
    sound = make_result("a", 0.1, 0.4)
    assert tabulate([sound], ["ndcg@10"]).notes == []
    table = tabulate([sound, make_result("a", 0.02, 0.5, unconverged=500)], ["ndcg@10"])
    assert [row.cells[0].text for row in table.rows] == ["0.500 †", "0.400"]
    assert table.notes[0].startswith("† More than 1 % of the transport plans")


def test_with_findings_cells_have_intervals_and_the_notes_say_what_marks_mean(make_world, study_of):
    study = study_of(make_world({"none": -0.2, 0.02: 0.0, 0.1: 0.0}))
    table = tabulate(study.results, ["ndcg@10"], study.findings)
    assert [row.label for row in table.rows] == ["untrained start (a)", "reg 0.02", "reg 0.1"]
    interval = study.findings.intervals["yo-yo", "full", table.rows[1].setting, "ndcg@10"]
    low, high = (f"{end:.3f}"[1:] for end in (interval.low, interval.high))
    assert table.rows[1].cells[0].text.endswith(f" [{low}, {high}] ▲a")
    assert table.notes == ["[low, high]: 95 % bootstrap interval over topics and seeds."]


def test_seeds_are_missing_of_trained_students_alone(make_result):
    results = [make_result(reg=0.1, value=0.4, seed=seed) for seed in (1, 2)]
    others = [make_result(reg=0.2, value=0.4), make_result(objective="run theirs", value=0.5)]
    others += [make_result(objective="none", value=0.1)]
    found = texts(tabulate([*results, *others], ["ndcg@10"]))
    assert found == {
        "untrained start": ["0.100"],
        "run theirs": ["0.500"],
        "reg 0.1": ["0.400"],
        "reg 0.2": ["0.400 (1 of 2)"],
    }


def test_a_measure_that_is_not_tested_has_intervals_and_no_marks(make_world, study_of):
    study = study_of(make_world({"none": -0.2, 0.02: 0.0}))
    other = tabulate(study.results, ["map"], study.findings)
    assert [row.label for row in other.rows] == ["untrained start", "reg 0.02"]
    assert other.notes == []
