"""Writes a report into a folder."""

from collections.abc import Sequence
from pathlib import Path

from optical_cli.report.curve import draw_curve
from optical_cli.report.markdown import markdown
from optical_cli.report.result import Result

CURVE_MEASURE = "ndcg@10"


def write_report(
    results: Sequence[Result], measures: Sequence[str], folder: Path, name: str, transport: str
) -> list[Path]:
    """Writes `report.md`, `curve.svg` and `curve.png`; the curve shows nDCG@10, or else the first measure.

    Args:
        results: of the cells of a sweep.
        measures: those to show.
        folder: made if it is not there.
        name: of the experiment.
        transport: how its plans are solved, in words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report, svg, png = folder / "report.md", folder / "curve.svg", folder / "curve.png"
    shown = CURVE_MEASURE if CURVE_MEASURE in measures else measures[0]
    draw_curve(results, shown, svg, png, name)
    report.write_text(markdown(results, measures, name, transport, shown, svg.name), encoding="utf-8")
    return [report, svg, png]
