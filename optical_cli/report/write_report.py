"""Write a report as files: an HTML page, Markdown, LaTeX, the curve as SVG and PNG, figures as CSV and Parquet."""

import tempfile
from pathlib import Path

from optical_cli.config.measures import parse_measure
from optical_cli.errors import DataError
from optical_cli.report import spreadsheets
from optical_cli.report.answer import answer
from optical_cli.report.curve import draw_curve
from optical_cli.report.page import page
from optical_cli.report.sections import failures, markdown_sections, measure_section
from optical_cli.report.study import Study
from optical_cli.report.table import tabulate
from optical_cli.report.text import escape_latex, escape_markdown, harmless, render

FILES = (
    "report.md", "report.tex", "curve.svg", "curve.png", "scores.csv", "scores.parquet", "means.csv", "comparisons.csv",
)  # fmt: skip
MOST_BESIDE = 3  # pairs whose intervals fit beside the means on a page; those of more pairs stand below the means


def write_report(study: Study, folder: Path, html: Path | None = None) -> list[Path]:
    """Write all files of a report, replacing an older one only when all are complete.

    `html` is the page, by default `report.html` in `folder`. Folders are made; DataError if a file cannot be written.
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
            made = _write_files(study, Path(beside))
            made_html.replace(html)
            return [html, *(path.replace(folder / path.name) for path in made)]
    except OSError as error:
        raise DataError(
            f"{error.filename2 or error.filename or folder}: the report cannot be written: {error.strerror or error}; "
            "mend that, or name another folder with --output, or another file with --html"
        ) from error


def _write_files(study: Study, folder: Path) -> list[Path]:
    paths = [folder / name for name in FILES]
    report, tex, svg, png, scores, parquet, means, comparisons = paths
    draw_curve(study, svg, png)
    report.write_text(harmless(markdown(study, svg.name)), encoding="utf-8")
    tex.write_text(harmless(latex(study)), encoding="utf-8")
    spreadsheets.write_scores_csv(scores, study)
    spreadsheets.write_scores_parquet(parquet, scores)
    spreadsheets.write_means_csv(means, study)
    spreadsheets.write_comparisons_csv(comparisons, study)
    return paths


def markdown(study: Study, curve: str) -> str:
    """The whole report; `curve` is the file name of the chart beside it, of the tested measure."""
    return render(
        "report.md.jinja", escape_markdown, study=study, curve=curve, label=parse_measure(study.findings.measure).label,
        most_seeds=tabulate(study.results, study.measures).seeds, failures=failures(study.results),
        answer=answer(study), sections=markdown_sections(study),
    )  # fmt: skip


def latex(study: Study) -> str:
    """A `table` for booktabs for each measure: intervals in small print, marks raised; shrunk to a line if wider."""
    sections = [measure_section(study, measure) for measure in study.measures]
    return render("report.tex.jinja", escape_latex, name=study.name, sections=sections, most_beside=MOST_BESIDE)
