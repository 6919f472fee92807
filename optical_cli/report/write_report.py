"""Writes a report into a folder."""

from pathlib import Path

from optical_cli.report.curve import draw_curve
from optical_cli.report.latex import latex
from optical_cli.report.markdown import markdown
from optical_cli.report.page import page
from optical_cli.report.parquet import write_scores_parquet
from optical_cli.report.spreadsheets import write_comparisons_csv, write_means_csv, write_scores_csv
from optical_cli.report.study import Study


def write_report(study: Study, folder: Path, html: Path | None = None) -> list[Path]:
    """Writes the report as an HTML page, Markdown and LaTeX, the curve as SVG and PNG, figures as CSV and Parquet.

    Args:
        study: what to report.
        folder: made if it is not there.
        html: the file of the page; None for `report.html` in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    html = html or folder / "report.html"
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(page(study), encoding="utf-8")
    report, tex, svg, png = (folder / name for name in ("report.md", "report.tex", "curve.svg", "curve.png"))
    draw_curve(study, svg, png)
    report.write_text(markdown(study, svg.name), encoding="utf-8")
    tex.write_text(latex(study), encoding="utf-8")
    spreadsheets = {
        folder / "scores.csv": write_scores_csv,
        folder / "scores.parquet": write_scores_parquet,
        folder / "means.csv": write_means_csv,
        folder / "comparisons.csv": write_comparisons_csv,
    }
    for path, write in spreadsheets.items():
        write(path, study)
    return [html, report, tex, svg, png, *spreadsheets]
