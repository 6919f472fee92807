"""The report as Markdown: the answer, tables, tests, topics, health and failures."""

import re
from collections.abc import Iterable

from optical_cli.artifacts.result import corpora
from optical_cli.config.measures import parse_measure
from optical_cli.report.answer import answer
from optical_cli.report.gap_section import gap_section
from optical_cli.report.sections import (
    Section,
    choice_section,
    failures,
    health_section,
    measure_section,
    tests_section,
    topics_section,
)
from optical_cli.report.study import Study
from optical_cli.report.table import tabulate

SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def markdown(study: Study, curve: str) -> str:
    """The whole report; `curve` is the file name of the chart beside it, of the tested measure."""
    results, findings = study.results, study.findings
    sections = [
        *(measure_section(study, measure) for measure in study.measures),
        tests_section(findings),
        gap_section(findings),
        choice_section(findings),
        topics_section(results),
        health_section(results),
    ]
    parts = [
        f"# {escape(study.name)}",
        _summary(study),
        *(escape(paragraph) for paragraph in answer(study)),
        f"![{parse_measure(findings.measure).label} against reg]({curve})",
        *(_section(section) for section in sections if section),
        _failures(failures(results)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Text from data as inline Markdown that shows as it is, in a table cell too: one line, no markup."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _summary(study: Study) -> str:
    results = study.results
    modes = ", ".join(escape(mode) for mode in corpora(list(results))) or "none"
    seeds = sorted({result.seed for result in results})
    most = tabulate(results, study.measures).seeds
    scored = sum(result.scores is not None for result in results)
    failed = sum(result.failure is not None for result in results)
    lines = [
        f"- Corpus: {modes}",
        f"- Transport: {escape(study.transport)}",
        f"- Seeds: {', '.join(map(str, seeds)) or 'none'}" + (f" (figures are means over {most})" if most > 1 else ""),
        f"- Cells: {scored} scored, {failed} failed, {len(results) - scored - failed} not made",
    ]
    return "\n".join(lines)


def _section(section: Section) -> str:
    before, after = (map(escape, notes) for notes in (section.before, section.after))
    return "\n\n".join([f"## {escape(section.title)}", *before, _table(section.heads, section.rows), *after])


def _failures(lines: list[str]) -> str:
    return "## Failures\n\n" + "\n".join(f"- {escape(line)}" for line in lines) if lines else ""


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """The first column to the left, the others to the right."""
    heads = [escape(head) for head in heads]
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
