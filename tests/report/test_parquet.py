import csv
import math

import pyarrow.parquet

from optical_cli.report.parquet import write_scores_parquet
from optical_cli.report.spreadsheets import write_scores_csv


def test_parquet_has_the_rows_and_columns_of_the_csv_with_types(make_world, study_of, tmp_path):
    study = study_of(make_world({"none": -0.1, 0.02: 0.0, math.inf: -0.2}, topics=5))
    write_scores_csv(tmp_path / "s.csv", study)
    write_scores_parquet(tmp_path / "s.parquet", study)
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
    write_scores_parquet(tmp_path / "s.parquet", study_of([make_result(reg=0.1, failure="no")]))
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    assert table.num_rows == 0
    assert table.column_names[-1] == "ndcg@10"
