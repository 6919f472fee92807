"""The answer in sentences that claim no more than the tests do; the sentences are in `templates`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optical_cli.config.measures import parse_measure
from optical_cli.report.findings import Comparison
from optical_cli.report.findings.comparison import ABOVE, BELOW
from optical_cli.report.published import TOLERANCE, drifts
from optical_cli.report.study import Study
from optical_cli.report.table import FULL, approximate_note, smaller_note, tabulate
from optical_cli.report.text import listed, one_line, render
from optical_cli.transport.solvers import format_reg


@dataclass(frozen=True)
class Against:
    """Which values of reg of a pair are above or below references, in words; "" for none."""

    above: str
    below: str
    undetected: str
    detectable: str  # the largest difference that the undetected comparisons could have missed


def answer(study: Study) -> list[str]:
    """Paragraphs on all pairs together, then on each."""
    return [*overall(study), *pair_by_pair(study)]


def overall(study: Study) -> list[str]:
    """Paragraphs on what holds for all pairs together, and on the limits of it."""
    findings, scored = study.findings, [result for result in study.results if result.scores]
    best = Counter(choice.best.label for choice in findings.choices)
    compared = {
        reference.label: Counter(one.mark for one in findings.comparisons if one.reference == reference)
        for reference in findings.references
    }
    return _paragraphs(
        "overall.txt.jinja",
        label=parse_measure(findings.measure).label,
        best=[f"{setting} on {count}" for setting, count in best.most_common()],
        best_of_all=next(iter(best), None) if len(best) == 1 else None,
        pairs=best.total(), compared=compared, interactions=findings.interactions,
        gaps=[
            (gaps, min(trained, key=lambda gap: gap.value), max(trained, key=lambda gap: gap.value))
            for gaps in findings.gaps
            if (trained := [gap for gap in gaps.by_setting if gap.setting.reg is not None])
        ],
        drifts=drifts(study.published, study.results), tolerance=f"{TOLERANCE:g}", results=study.results,
        seeds=len({result.seed for result in scored if result.reg is not None}),
        notes=[
            *approximate_note([result.search for result in study.results if result.search]),
            *smaller_note([result.index.in_words for result in scored if result.index]),
        ],
    )  # fmt: skip


def pair_by_pair(study: Study) -> list[str]:
    """A paragraph for each pair with a scored reg."""
    pairs = dict.fromkeys((result.pair, result.corpus) for result in study.results if result.scores)
    return [paragraph for pair in pairs for paragraph in _of_pair(study, *pair)]


def _of_pair(study: Study, pair: str, corpus: str) -> list[str]:
    scored = [one for one in study.results if (one.pair, one.corpus) == (pair, corpus) and one.scores]
    trained = [result for result in scored if result.reg is not None]
    table = tabulate(trained, [study.findings.measure])
    means = {row.setting: row.cells[0].mean for row in table.rows if row.cells[0].mean is not None}
    if not means:
        return []
    return _paragraphs(
        "pair.txt.jinja", label=parse_measure(study.findings.measure).label,
        pair=pair, corpus=None if corpus == FULL else corpus,
        topics=max(result.scores.topics for result in scored if result.scores),
        seeds=len({result.seed for result in trained}), means=means,
        lowest=min(means, key=means.__getitem__), highest=max(means, key=means.__getitem__),
        against=_against([one for one in study.findings.comparisons if (one.pair, one.corpus) == (pair, corpus)]),
        choices=[one for one in study.findings.choices if (one.pair, one.corpus) == (pair, corpus)],
    )  # fmt: skip


def _against(compared: Sequence[Comparison]) -> dict[Against, list[str]]:
    """The references by outcome, so that those with the same one share a sentence."""
    said: dict[Against, list[str]] = {}
    for reference in dict.fromkeys(one.reference for one in compared):
        own = [one for one in compared if one.reference == reference]
        above, below, rest = ([one for one in own if one.mark == mark] for mark in (ABOVE, BELOW, ""))
        detectable = f"{max(one.smallest for one in rest):.3f}" if rest else ""
        outcome = Against(_named(above, len(own)), _named(below, len(own)), _named(rest, len(own)), detectable)
        said.setdefault(outcome, []).append(reference.label)
    return said


def _named(some: Sequence[Comparison], of: int) -> str:
    if len(some) == of > 1:
        return "every other reg" if some[0].reference.reg is not None else "every reg"
    return f"reg {listed([format_reg(one.setting.reg) for one in some if one.setting.reg is not None])}" if some else ""


def _paragraphs(template: str, **context: Any) -> list[str]:
    return [one_line(block) for block in render(template, one_line, **context).split("\n\n") if block.strip()]
