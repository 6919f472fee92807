"""Writes a report into a folder."""

import tempfile
from pathlib import Path

from optical_cli.errors import DataError
from optical_cli.report.curve import draw_curve
from optical_cli.report.harmless import harmless
from optical_cli.report.latex import latex
from optical_cli.report.markdown import markdown
from optical_cli.report.page import page
from optical_cli.report.parquet import write_scores_parquet
from optical_cli.report.spreadsheets import write_comparisons_csv, write_means_csv, write_scores_csv
from optical_cli.report.study import Study


def write_report(study: Study, folder: Path, html: Path | None = None) -> list[Path]:
    """Writes the report as an HTML page, Markdown and LaTeX, the curve as SVG and PNG, figures as CSV and Parquet.

    A report that is there is replaced when all of the new one is written, and else left as it is.

    Args:
        study: what to report.
        folder: made if it is not there.
        html: the file of the page; None for `report.html` in the folder.

    Raises:
        DataError: it cannot be written there.
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
    """All but the page."""
    report, tex, svg, png = (folder / name for name in ("report.md", "report.tex", "curve.svg", "curve.png"))
    draw_curve(study, svg, png)
    report.write_text(harmless(markdown(study, svg.name)), encoding="utf-8")
    tex.write_text(harmless(latex(study)), encoding="utf-8")
    scores, parquet = folder / "scores.csv", folder / "scores.parquet"
    means, comparisons = folder / "means.csv", folder / "comparisons.csv"
    write_scores_csv(scores, study)
    write_scores_parquet(parquet, scores)
    write_means_csv(means, study)
    write_comparisons_csv(comparisons, study)
    return [report, tex, svg, png, scores, parquet, means, comparisons]
