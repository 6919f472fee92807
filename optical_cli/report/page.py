"""The report as one self-contained HTML page: the answer, the charts, the table, what was run; details that open."""

import re
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from optical_cli.align.aligned_pair import receivers
from optical_cli.artifacts.result import corpora
from optical_cli.config.measures import parse_measure
from optical_cli.report import sections
from optical_cli.report.answer import answer
from optical_cli.report.curve import draw_curves, gap_curves, legend, measured_curves, pair_curves
from optical_cli.report.drawing import svg
from optical_cli.report.heat_map import draw_maps
from optical_cli.report.study import Study
from optical_cli.report.table import FULL, tabulate
from optical_cli.report.text import render
from optical_cli.transport.solvers import format_reg

SIGNS = {
    "▲": "above",
    "▼": "below",
    "≡": "equivalent",
    "†": "in doubt",
    "≈": "by approximate search",
    "‡": "of a smaller index",
}
"""The signs of tables, as a screen reader speaks them."""


def page(study: Study) -> str:
    """Return the whole page; every text from data is escaped, and nothing is loaded from elsewhere."""
    tested = study.findings.measure
    curves, gaps = ([one for one in every if one.trained] for every in (pair_curves(study), gap_curves(study)))
    measured = measured_curves(study)
    return render(
        "page.html", escape, study=study, label=parse_measure(tested).label,
        corpora=[corpus for corpus in corpora(list(study.results)) if corpus != FULL],
        answer=answer(study), curves=draw_curves(curves), legend=legend(curves, tested), gaps=draw_curves(gaps),
        measured=draw_curves(measured), across=measured[0].across if measured else "",
        heat=_heat(study), main_table=sections.measure_section(study, tested),
        what_was_run=sections.what_was_run_section(study), details=sections.details(study, page=True),
        failures=sections.failures(study.results), keys=sections.keys_section(study.ledger),
        maps=draw_maps, receivers=receivers, reg=format_reg, signs=_signs, svg=svg,
    )  # fmt: skip


def _heat(study: Study) -> dict[str, Any]:
    """Tint the means of each pair, 0 to 100, by how far they are above its lowest one, on one scale for all pairs."""
    trained = [result for result in study.results if result.reg is not None]
    if not any(result.scores for result in trained):
        return {}
    table = tabulate(trained, [study.findings.measure])
    means = np.array([[cell.mean for cell in row.cells] for row in table.rows], dtype=float)  # (settings, pairs)
    rises = np.nan_to_num(means - np.fmin.reduce(means))
    tints = np.rint(100 * rises / (rises.max() or 1.0)).astype(int)
    return {
        "heads": [row.label for row in table.rows],
        "rows": {
            column.pair_head: [(row.cells[i].text, tint) for row, tint in zip(table.rows, tints[:, i], strict=True)]
            for i, column in enumerate(table.columns)
        },
    }


def _signs(text: str) -> Markup:
    named = {sign: f'<span role="img" aria-label="{name}">{sign}</span>' for sign, name in SIGNS.items()}
    return Markup(re.sub("|".join(SIGNS), lambda found: named[found[0]], str(escape(text))))  # noqa: S704 - escaped
