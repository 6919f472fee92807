import csv

import pytest

from optical_cli.report.spreadsheets import write_comparisons_csv, write_means_csv, write_scores_csv


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_score_of_every_topic_is_there_in_full(make_world, study_of, tmp_path):
    results = make_world({"none": -0.1, 0.02: 0.0}, topics=5)
    write_scores_csv(tmp_path / "s.csv", study_of(results))
    rows = rows_of(tmp_path / "s.csv")
    assert len(rows) == 5 * 4
    read = {(row["objective"], row["reg"], row["seed"], row["topic"]): float(row["ndcg@10"]) for row in rows}
    assert read["transport", "0.02", "3", "q004"] == results[-1].scores.per_topic["ndcg@10"]["q004"]
    assert ("none", "", "1", "q000") in read


def test_means_have_intervals_and_what_stands_behind_them(make_world, study_of, tmp_path):
    write_means_csv(tmp_path / "m.csv", study_of(make_world({0.02: 0.0})))
    (row,) = rows_of(tmp_path / "m.csv")
    assert float(row["low"]) < float(row["mean"]) < float(row["high"])
    assert (row["topics"], row["seeds"], row["failed"]) == ("60", "3", "0")


def test_comparisons_are_those_of_the_report(make_world, study_of, tmp_path):
    study = study_of(make_world({"none": -0.2, 0.02: 0.0, 0.1: 0.0}))
    write_comparisons_csv(tmp_path / "c.csv", study)
    rows = rows_of(tmp_path / "c.csv")
    assert [(row["reg"], row["reference"], row["mark"]) for row in rows] == [
        ("0.02", "no training", "▲"),
        ("0.1", "no training", "▲"),
    ]
    assert float(rows[0]["p_holm"]) == pytest.approx(study.findings.comparisons[0].corrected)


def test_an_id_with_a_comma_or_quote_is_quoted(make_result, study_of, tmp_path):
    result = make_result('a,"b', 0.1, 0.5)
    write_scores_csv(tmp_path / "s.csv", study_of([result]))
    assert rows_of(tmp_path / "s.csv")[0]["pair"] == 'a,"b'
