import csv
import errno
import shutil
import subprocess
from math import inf

import pytest

from optical_cli.errors import DataError
from optical_cli.report.text import escape_latex, escape_markdown
from optical_cli.report.write_report import latex, markdown, write_report

PAPER = r"""\documentclass{article}
\usepackage{booktabs, graphicx}
\begin{document}
\input{report.tex}
\end{document}
"""
HOSTILE = 'x_1^2 & 50% ~ #3 {"a|b"} <c> \\d $'


def test_a_report_is_these_files(sweep, study_of, tmp_path):
    study = study_of(sweep, ["recall@100", "ndcg@10"])
    paths = write_report(study, tmp_path / "reports" / "tiny")
    assert [path.name for path in paths] == [
        *("report.html", "report.md", "report.tex", "curve.svg", "curve.png", "curve.pdf"),
        *("scores.csv", "scores.parquet", "means.csv", "comparisons.csv", "held_out.csv"),
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
    monkeypatch.setattr("optical_cli.report.spreadsheets.write_means_csv", full)
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


def test_a_report_says_what_was_measured_and_what_failed(sweep, study_of):
    text = markdown(study_of(sweep, ["ndcg@10", "recall@100"], "my_run", "sinkhorn, idf marginals"), "curve.svg")
    assert text.startswith("# my\\_run\n")
    assert "![nDCG@10 against reg](curve.svg)" in text
    assert "| transport | sinkhorn, idf marginals |\n| corpus | full |\n" in text
    assert "| seeds | 1, 2, 3; figures are means over them |\n| cells | 26 scored, 4 failed, 0 not made |\n" in text
    assert "## nDCG@10\n\n|  | sw-sw | en-sw |\n| --- | --: | --: |\n| untrained start (a) | 0.100 | 0.200 |" in text
    assert "| reg 0.02 | 0.420 | failed |" in text
    assert "| reg 0.02 | 0.840 | failed |" in text
    assert "| en-sw | full | 119 | 2 | 1 |" in text
    plans = "transport plans | plans that missed the threshold | share of plans that met the threshold"
    assert f"| {plans} | gradient norm (largest) | seconds |" in text
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
    assert "yo-yo (60 topics, 3 seeds): mean nDCG@10 ranges from" in text
    assert "<summary>Tests of nDCG@10</summary>" in text
    assert "| yo-yo | full | reg 0 − reg inf | +0.1" in text
    assert "<summary>Choosing reg</summary>" in text
    assert "| yo-yo | full | reg 0 100 % |" in text
    assert "**" not in text


def tex_is_here():
    if shutil.which("pdflatex") is None or (asks := shutil.which("kpsewhich")) is None:
        return False
    return subprocess.run([asks, "booktabs.sty", "graphicx.sty"], capture_output=True, check=False).returncode == 0


def test_a_booktabs_table_with_small_intervals_and_raised_marks(make_world, study_of):
    text = latex(study_of(make_world({"none": -0.2, 0.1: 0.0, inf: -0.2}, "yo_x-en"), name="my_run"))
    assert "\\toprule\n & yo\\_x-en \\\\\n\\midrule" in text
    assert "\\caption{nDCG@10, my\\_run." in text
    assert "\\label{tab:my-run-ndcg-10}" in text
    assert "amssymb" not in text
    row = next(line for line in text.splitlines() if line.startswith("reg 0.1 "))
    assert "{\\scriptsize[." in row
    assert row.endswith("\\textsuperscript{$\\uparrow$ab} \\\\")
    assert all(mark not in text for mark in "▲▼†–−")


def test_every_row_has_a_cell_a_pair(sweep, study_of):
    rows = [line for line in latex(study_of(sweep)).splitlines() if line.endswith("\\\\")]
    assert {row.count("&") for row in rows} == {2}
    assert "\\textbf" not in "".join(rows)


def test_intervals_of_many_pairs_stand_below_the_means(make_world, study_of):
    def row(*pairs):
        text = latex(study_of([result for pair in pairs for result in make_world({0.1: 0.0, inf: -0.2}, pair)]))
        return next(line for line in text.splitlines() if line.startswith("reg 0.1 "))

    beside = row("yo-yo", "yo-en", "en-yo")
    below = row("yo-yo", "yo-en", "en-yo", "sw-sw")
    assert "tabular" not in beside
    assert below.count(r"\[-3pt]{\scriptsize[.") == 4


@pytest.mark.skipif(not tex_is_here(), reason="there is no pdflatex here, or no booktabs")
@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_a_paper_takes_it_and_no_table_leaves_the_page(make_world, study_of, tmp_path, count):
    pairs = ("sw-sw", "yo-yo", "te-te", "bn-bn", "fi-fi", "ru-ru", "es-es", "hi-en", "en-hi")[:count]
    effects = {"none": -0.3, "pooled_mse": -0.1, 0.02: 0.1, inf: -0.2}
    results = [result for pair in pairs for result in make_world(effects, pair)]
    (tmp_path / "report.tex").write_text(latex(study_of(results, name=HOSTILE)), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(PAPER, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"],
        cwd=tmp_path, capture_output=True, text=True, encoding="latin-1", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout


def test_every_text_of_data_is_escaped_for_its_form(make_world, make_result, study_of):
    failed = make_result(HOSTILE, 0.5, corpus=HOSTILE, failure=HOSTILE)
    results = [*make_world({HOSTILE: -0.2, 0.1: 0.0}, HOSTILE, corpus=HOSTILE), failed]
    study = study_of(results, name=HOSTILE, transport=HOSTILE, translated={HOSTILE: HOSTILE})
    shown, printed = markdown(study, "curve.svg"), latex(study)
    for text, escaped in ((shown, escape_markdown(HOSTILE)), (printed, escape_latex(HOSTILE))):
        assert HOSTILE not in text
        assert text.replace(escaped, "").count("x_1") == text.replace(escaped, "").count("50%") == 0
    assert f"# {escape_markdown(HOSTILE)}\n" in shown
    assert f"- {escape_markdown(HOSTILE)}, reg 0.5, seed 13: {escape_markdown(HOSTILE)}\n" in shown
    assert f"\\caption{{nDCG@10, {escape_latex(HOSTILE)}." in printed
    assert f"\n & {escape_latex(HOSTILE)} ({escape_latex(HOSTILE)}) \\\\\n" in printed
