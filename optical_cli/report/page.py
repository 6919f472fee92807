"""The report as one self-contained HTML page."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from optical_cli.align.aligned_pair import receivers
from optical_cli.artifacts.result import corpora, format_reg
from optical_cli.config.measures import parse_measure
from optical_cli.report import answer, sections
from optical_cli.report.curve import draw_curves, gap_curves, legend, pair_curves
from optical_cli.report.drawing import svg
from optical_cli.report.heat_map import draw_maps
from optical_cli.report.study import Study
from optical_cli.report.table import FULL, tabulate
from optical_cli.report.text import signed

SIGNS = {"▲": "above", "▼": "below", "†": "in doubt", "≈": "by approximate search", "‡": "of a smaller index"}
"""What a screen reader says for the marks."""


def page(study: Study) -> str:
    """The whole page; every text from data is escaped, and nothing is loaded from elsewhere."""
    templates = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"signs": _signs, "signed": signed, "svg": svg, "reg": format_reg}
    tested = study.findings.measure
    curves, gaps = ([one for one in every if one.trained] for every in (pair_curves(study), gap_curves(study)))
    return environment.get_template("page.html").render(
        study=study,
        label=parse_measure(tested).label,
        corpora=[corpus for corpus in corpora(list(study.results)) if corpus != FULL],
        overall=answer.overall(study),
        pair_by_pair=answer.pair_by_pair(study),
        curves=draw_curves(curves),
        legend=legend(curves, tested),
        gaps=draw_curves(gaps),
        heat=_heat(study),
        maps=draw_maps,
        receivers=receivers,
        sections=sections.page_sections(study),
        failures=sections.failures(study.results),
        keys=sections.keys_section(study.ledger),
    )


def _heat(study: Study) -> dict[str, Any]:
    """A row for each pair, in its cells the mean for each reg and a tint, 0 to 100; no row without a curve.

    The tint is how far a mean is above the lowest of its pair, on one scale for all pairs.
    """
    trained = [result for result in study.results if result.reg is not None]
    table = tabulate(trained, [study.findings.measure])
    rises: dict[str, list[tuple[str, float]]] = {}
    for i, column in enumerate(table.columns):
        cells = [row.cells[i] for row in table.rows]
        low = min((cell.mean for cell in cells if cell.mean is not None), default=0.0)
        rises[column.pair_head] = [(cell.text, (cell.mean or low) - low) for cell in cells]
    most = max((rise for cells in rises.values() for _, rise in cells), default=0.0) or 1.0
    rows = {head: [(text, round(100 * rise / most)) for text, rise in cells] for head, cells in rises.items()}
    heads = [format_reg(row.setting.reg) for row in table.rows if row.setting.reg is not None]
    return {"heads": heads, "rows": rows if any(result.scores for result in trained) else {}}


def _signs(text: str) -> Markup:
    """Escaped text in which the marks have names."""
    named = {sign: f'<span role="img" aria-label="{name}">{sign}</span>' for sign, name in SIGNS.items()}
    return Markup(re.sub("|".join(SIGNS), lambda found: named[found[0]], str(escape(text))))  # noqa: S704 - escaped
