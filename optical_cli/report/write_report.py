"""Write a report as files: an HTML page, Markdown, LaTeX, the curve as a figure, and figures as CSV and Parquet."""

import re
import tempfile
from pathlib import Path

from optical_cli.config.measures import parse_measure
from optical_cli.errors import DataError
from optical_cli.report import spreadsheets
from optical_cli.report.answer import answer
from optical_cli.report.curve import draw_curve
from optical_cli.report.page import page
from optical_cli.report.sections import details, failures, measure_section, what_was_run_section
from optical_cli.report.study import Study
from optical_cli.report.text import escape_latex, escape_markdown, harmless, render

FILES = (
    "report.md", "report.tex", "curve.svg", "curve.png", "curve.pdf",
    "scores.csv", "scores.parquet", "means.csv", "comparisons.csv", "held_out.csv",
)  # fmt: skip
MOST_BESIDE = 3  # pairs whose intervals fit beside the means; with more pairs they go below the means


def write_report(study: Study, folder: Path, html: Path | None = None, *, in_paper: Study | None = None) -> list[Path]:
    """Write all files of a report, making folders; an older report is replaced only when all files are complete.

    Args:
        html: File of the page; by default `report.html` in `folder`.
        in_paper: The study with the measures and rows for `report.tex` and the figure; by default all of them.

    Raises:
        DataError: a file cannot be written.
    """
    html = html or folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        html.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".report-") as beside,
            tempfile.TemporaryDirectory(dir=html.parent, prefix=".report-") as beside_html,
        ):
            made_html = Path(beside_html) / "page"
            made_html.write_text(harmless(page(study)), encoding="utf-8")
            made = _write_files(study, in_paper or study, Path(beside))
            made_html.replace(html)
            return [html, *(path.replace(folder / path.name) for path in made)]
    except OSError as error:
        raise DataError(
            f"{error.filename2 or error.filename or folder}: the report cannot be written: {error.strerror or error}; "
            "solve that, or choose another folder with --output or another file with --html"
        ) from error


def _write_files(study: Study, in_paper: Study, folder: Path) -> list[Path]:
    paths = [folder / name for name in FILES]
    report, tex, svg, png, pdf, scores, parquet, means, comparisons, held_out = paths
    draw_curve(in_paper, svg, png, pdf)
    report.write_text(harmless(markdown(study, svg.name)), encoding="utf-8")
    tex.write_text(harmless(latex(in_paper)), encoding="utf-8")
    spreadsheets.write_scores_csv(scores, study)
    spreadsheets.write_scores_parquet(parquet, scores)
    spreadsheets.write_means_csv(means, study)
    spreadsheets.write_comparisons_csv(comparisons, study)
    spreadsheets.write_held_out_csv(held_out, study)
    return paths


def markdown(study: Study, curve: str) -> str:
    """Return the report as Markdown; `curve` is the file name of the chart beside it."""
    tested = study.findings.measure
    return render(
        "report.md.jinja", escape_markdown, study=study, curve=curve, label=parse_measure(tested).label,
        answer=answer(study),
        main_table=measure_section(study, tested), what_was_run=what_was_run_section(study), details=details(study),
        failures=failures(study.results),
    )  # fmt: skip


def latex(study: Study) -> str:
    """Return a LaTeX `table` for each measure, shrunk to the width of a line, with intervals small and marks raised.

    A table is labelled `tab:NAME-MEASURE`, with a hyphen for every other character than letters and digits.
    """
    tables = {
        re.sub("[^A-Za-z0-9:]+", "-", f"tab:{study.name}-{measure}"): measure_section(study, measure, in_full=True)
        for measure in study.measures
    }
    return render("report.tex.jinja", escape_latex, name=study.name, tables=tables, most_beside=MOST_BESIDE)
