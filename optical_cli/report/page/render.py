"""From a study to the page: what the template is given."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from optical_cli.artifacts.result import corpora
from optical_cli.config.measures import parse_measure
from optical_cli.report import answer, sections
from optical_cli.report.page import alignment, chart, heat
from optical_cli.report.study import Study
from optical_cli.report.table import FULL
from optical_cli.report.text import signed

SIGNS = {"▲": "above", "▼": "below", "†": "in doubt", "≈": "by approximate search", "‡": "of a smaller index"}
"""What a screen reader says for the marks."""


def page(study: Study) -> str:
    """The whole page; every text from data is escaped, and nothing is loaded from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"signs": _signs, "signed": signed}
    tested = study.findings.measure
    return environment.get_template("page.html").render(
        study=study,
        label=parse_measure(tested).label,
        corpora=[corpus for corpus in corpora(list(study.results)) if corpus != FULL],
        overall=answer.overall(study),
        pair_by_pair=answer.pair_by_pair(study),
        panels=chart.panels(study),
        gap_panels=chart.gap_panels(study),
        box=chart,
        heat=heat.heat(study),
        aligned=alignment.drawn(study.alignments),
        sections=sections.page_sections(study),
        failures=sections.failures(study.results),
        keys=sections.keys_section(study.ledger),
    )


def _signs(text: str) -> Markup:
    """Escaped text in which the marks have names."""
    named = {sign: f'<span role="img" aria-label="{name}">{sign}</span>' for sign, name in SIGNS.items()}
    return Markup(re.sub("|".join(SIGNS), lambda found: named[found[0]], str(escape(text))))  # noqa: S704 - escaped
