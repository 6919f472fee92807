import csv
import errno
from math import inf

import pytest

from optical_cli.errors import DataError
from optical_cli.report.write_report import write_report


def test_a_report_is_these_files(sweep, study_of, tmp_path):
    study = study_of(sweep, ["recall@100", "ndcg@10"])
    paths = write_report(study, tmp_path / "reports" / "tiny")
    assert [path.name for path in paths] == [
        *("report.html", "report.md", "report.tex", "curve.svg", "curve.png"),
        *("scores.csv", "scores.parquet", "means.csv", "comparisons.csv"),
    ]
    assert "![nDCG@10 against reg](curve.svg)" in paths[1].read_text()


def test_the_same_scores_give_the_same_bytes(make_world, study_of, tmp_path):
    first, second = (
        write_report(study_of(make_world({"none": -0.1, 0.1: 0.0, inf: 0.0})), tmp_path / name) for name in "ab"
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_every_score_of_every_topic_has_a_row(make_world, study_of, tmp_path):
    results = [
        result
        for number in range(3)
        for result in make_world({0.02: 0.0, inf: 0.0, "none": -0.1}, f"a{number}-b", topics=20, start=number)
    ]
    write_report(study_of(results), tmp_path)
    rows = sum(1 for _ in csv.reader((tmp_path / "scores.csv").open()))
    assert rows == 1 + 3 * 20 * (2 * 3 + 1)


def test_the_page_goes_where_it_is_asked_to(sweep, study_of, tmp_path):
    paths = write_report(study_of(sweep), tmp_path / "report", tmp_path / "shown" / "page.html")
    assert paths[0] == tmp_path / "shown" / "page.html"
    assert paths[0].read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not (tmp_path / "report" / "report.html").exists()


def test_a_report_that_cannot_be_written_leaves_the_one_that_is_there(
    sweep, study_of, make_world, tmp_path, monkeypatch
):
    def full(path, _study):
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    folder, html = tmp_path / "report", tmp_path / "shown" / "page.html"
    write_report(study_of(sweep), folder, html)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("optical_cli.report.write_report.write_means_csv", full)
    with pytest.raises(
        DataError, match=rf"{folder}: the report cannot be written: No space left on device; .*--output"
    ):
        write_report(study_of(make_world({"none": 0.0, 0.1: 0.1})), folder, html)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "shown"]


def test_a_file_where_the_folder_should_be_is_named(sweep, study_of, tmp_path):
    (tmp_path / "report").touch()
    with pytest.raises(DataError, match=rf"{tmp_path}/report: the report cannot be written: File exists"):
        write_report(study_of(sweep), tmp_path / "report")


def test_a_folder_where_the_page_should_be_is_named_and_nothing_is_left(sweep, study_of, tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(DataError, match=rf"{tmp_path}/page.html: the report cannot be written: Is a directory"):
        write_report(study_of(sweep), tmp_path / "report", tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("report")] == ["page.html"]
    assert list((tmp_path / "report").iterdir()) == []
