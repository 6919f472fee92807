import csv
import math
from dataclasses import replace

import pyarrow.parquet
import pytest

from optical_cli.report.spreadsheets import (
    write_comparisons_csv,
    write_held_out_csv,
    write_means_csv,
    write_scores_csv,
    write_scores_parquet,
)


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
        ("0.02", "untrained start", "▲"),
        ("0.1", "untrained start", "▲"),
    ]
    assert float(rows[0]["p_holm"]) == pytest.approx(study.findings.comparisons[0].corrected)


def test_an_id_with_a_comma_or_quote_is_quoted(make_result, study_of, tmp_path):
    result = make_result('a,"b', 0.1, 0.5)
    write_scores_csv(tmp_path / "s.csv", study_of([result]))
    assert rows_of(tmp_path / "s.csv")[0]["pair"] == 'a,"b'


def test_parquet_has_the_rows_and_columns_of_the_csv_with_types(make_world, study_of, tmp_path):
    study = study_of(make_world({"none": -0.1, 0.02: 0.0, math.inf: -0.2}, topics=5))
    write_scores_csv(tmp_path / "s.csv", study)
    write_scores_parquet(tmp_path / "s.parquet", tmp_path / "s.csv")
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert table.column_names == list(rows[0])
    types = {"reg": float, "seed": int, "ndcg@10": float}
    typed = [
        {name: types.get(name, str)(text) if text else None for name, text in row.items()} for row in rows
    ]  # "inf" is a float
    assert table.to_pylist() == typed
    assert {row["reg"] for row in typed} == {None, 0.02, math.inf}


def test_a_study_without_scores_has_no_rows_and_the_same_columns(make_result, study_of, tmp_path):
    write_scores_csv(tmp_path / "s.csv", study_of([make_result(reg=0.1, failure="no")]))
    write_scores_parquet(tmp_path / "s.parquet", tmp_path / "s.csv")
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    assert table.num_rows == 0
    assert table.column_names[-1] == "ndcg@10"


def test_a_topic_is_a_text_whatever_it_looks_like(make_result, study_of, tmp_path):
    asked = ("007", "1e3", "null", "NA", "true", 'a,"b"', "2024-01-01", "ቁ")
    scored = {name: dict.fromkeys(asked, 1 / 3) for name in ("ndcg@10", "recall@100")}
    result = make_result(reg=0.0, value=1 / 3)
    result = replace(result, scores=replace(result.scores, per_topic=scored))
    write_scores_csv(tmp_path / "s.csv", study_of([result]))
    write_scores_parquet(tmp_path / "s.parquet", tmp_path / "s.csv")
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    assert sorted(table["topic"].to_pylist()) == sorted(asked)
    assert set(table["ndcg@10"].to_pylist()) == {1 / 3}


def test_held_out_figures_of_start_and_end_have_columns_of_their_own(make_result, study_of, tmp_path):
    start, end = {"p@1": 0.1, "transport_cost": 0.9}, {"p@1": 0.5, "transport_cost": 0.3}
    trained = replace(make_result(reg=0.1, value=0.5), held_out_start=start, held_out=end)
    write_held_out_csv(tmp_path / "h.csv", study_of([trained, make_result(objective="none", value=0.1)]))
    (row,) = rows_of(tmp_path / "h.csv")
    assert (row["reg"], row["p@1_start"], row["p@1_end"]) == ("0.1", "0.1", "0.5")
    assert (row["transport_cost_start"], row["transport_cost_end"]) == ("0.9", "0.3")
