"""The report as Markdown: the answer, tables, tests, topics, health and failures."""

import math
import re
from collections.abc import Callable, Iterable, Sequence

from optical_cli.artifacts.scores import Scores
from optical_cli.measures import parse_measure
from optical_cli.report.answer import answer
from optical_cli.report.figures import effect, p_value, percent, signed
from optical_cli.report.findings import Findings
from optical_cli.report.result import Result, Setting, corpora
from optical_cli.report.study import Study
from optical_cli.report.table import DOUBTFUL, DOUBTFUL_NOTE, MISSING, Table, tabulate

HEALTH = {
    "unconverged": "plans that missed the threshold",
    "converged": "share that met it",
    "marginal_error": "largest marginal error (L1)",
    "iterations": "iterations a plan",
    "effective_targets": "effective targets a token",
    "mass": "smallest mass of a plan",
    "grad_norm": "gradient norm (mean)",
    "grad_norm_max": "gradient norm (largest)",
}
"""What the figures of a training are, in words."""

TESTS_NOTE = (
    "Differences of means over topics and seeds, with bootstrap intervals over both. p: paired randomization test over "
    "topics, on means over seeds, two-sided; corrected by Holm over all rows. d_z: mean difference over its standard "
    "deviation between topics. Smallest to be seen: the true difference that these topics and seeds would have shown "
    "in four of five studies, uncorrected."
)
CHOICE_NOTE = (
    "reg is chosen on four fifths of the topics and scored on the rest, each fifth in turn, over 100 deals of topics. "
    "Flattered by: how far the best on all topics is above that. The held-out bitext chooses without any topic."
)

SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def markdown(study: Study, curve: str) -> str:
    """The whole report; `curve` is the file name of the chart beside it, of the tested measure."""
    results, findings = study.results, study.findings
    parts = [
        f"# {escape(study.name)}",
        _summary(results, tabulate(results, study.measures), study.transport),
        *(escape(paragraph) for paragraph in answer(study)),
        f"![{parse_measure(findings.measure).label} against reg]({curve})",
        *(_measure_section(study, measure) for measure in study.measures),
        _tests_section(findings),
        _choice_section(findings),
        _topics_section(results),
        _health_section(results),
        _failures_section(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Text from data as inline Markdown that shows as it is, in a table cell too: one line, no markup."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _summary(results: Sequence[Result], table: Table, transport: str) -> str:
    modes = ", ".join(escape(mode) for mode in corpora(list(results))) or "none"
    seeds = sorted({result.seed for result in results})
    scored = sum(result.scores is not None for result in results)
    failed = sum(result.failure is not None for result in results)
    lines = [
        f"- Corpus: {modes}",
        f"- Transport: {escape(transport)}",
        f"- Seeds: {', '.join(map(str, seeds)) or 'none'}"
        + (f" (figures are means over {table.seeds})" if table.seeds > 1 else ""),
        f"- Cells: {scored} scored, {failed} failed, {len(results) - scored - failed} not made",
    ]
    return "\n".join(lines)


def _measure_section(study: Study, measure: str) -> str:
    table = tabulate(study.results, [measure], study.findings)
    heads = ["", *(column.pair_head for column in table.columns)]
    rows = [[row.label, *(cell.text for cell in row.cells)] for row in table.rows]
    notes = "".join(f"\n\n{escape(note)}" for note in table.notes)
    return f"## {parse_measure(measure).label}\n\n" + _table(heads, rows) + notes


def _tests_section(findings: Findings) -> str:
    """Every comparison in figures."""
    if not findings.comparisons:
        return ""
    rows = [
        [
            one.pair,
            one.corpus,
            f"{one.setting.label} − {one.reference.label}",
            f"{signed(one.difference)} {one.mark}".strip(),
            f"{signed(one.low)} to {signed(one.high)}",
            effect(one.effect),
            p_value(one.p),
            p_value(one.corrected),
            f"{one.smallest:.3f}",
            f"{one.wins} / {one.losses}",
            f"{one.agreeing} of {one.seeds}",
        ]
        for one in findings.comparisons
    ]
    heads = [
        "pair", "corpus", "compared", "difference", "95 % interval", "d_z", "p", "p (Holm)", "smallest to be seen",
        "topics won / lost", "seeds that agree",
    ]  # fmt: skip
    label = parse_measure(findings.measure).label
    return f"## Tests of {label}\n\n{escape(TESTS_NOTE)} Seed of the resampling: {findings.seed}.\n\n" + _table(
        heads, rows
    )


def _choice_section(findings: Findings) -> str:
    """What choosing reg is worth on topics, or a bitext, that had no part in its score."""
    if not findings.choices:
        return ""
    rows = [
        [
            choice.pair,
            choice.corpus,
            ", ".join(f"{setting.label} {percent(share)}" for setting, share in choice.shares[:3]),
            f"{choice.score:.3f}",
            f"{choice.best.label}: {choice.best_score:.3f}",
            signed(choice.flattered),
            "; ".join(f"{one.ruler}: {one.setting.label}, {one.score:.3f}" for one in choice.by_bitext) or MISSING,
        ]
        for choice in findings.choices
    ]
    heads = [
        "pair",
        "corpus",
        "chosen on other topics",
        "scored",
        "best on all topics",
        "flattered by",
        "by held-out bitext",
    ]
    return f"## Choosing reg\n\n{escape(CHOICE_NOTE)}\n\n" + _table(heads, rows)


def _topics_section(results: Sequence[Result]) -> str:
    rows = []
    for pair, corpus in dict.fromkeys((result.pair, result.corpus) for result in results):
        scored = [r.scores for r in results if (r.pair, r.corpus) == (pair, corpus) and r.scores]
        counts: tuple[Callable[[Scores], int], ...] = (
            lambda scores: scores.topics,
            lambda scores: scores.unjudged_topics,
            lambda scores: scores.empty_topics,
        )
        rows.append([pair, corpus, *(_span([count(scores) for scores in scored], "d") for count in counts)])
    heads = ["pair", "corpus", "judged topics", "without judgements (left out)", "without results (scored 0)"]
    return "## Topics\n\n" + _table(heads, rows)


def _health_section(results: Sequence[Result]) -> str:
    """Lowest to highest figure of each setting, over its pairs and seeds; marked where plans did not converge."""
    names = list(dict.fromkeys(name for result in results for name in result.health or ()))
    timed = any(result.seconds is not None for result in results)
    if not names and not timed:
        return ""
    rows = []
    for setting in sorted({result.setting for result in results}, key=lambda setting: setting.rank):
        cells = _of(results, setting)
        figures = [[cell.health[name] for cell in cells if cell.health and name in cell.health] for name in names]
        seconds = [cell.seconds for cell in cells if cell.seconds is not None]
        label = f"{setting.label} {DOUBTFUL}" if any(cell.doubtful for cell in cells) else setting.label
        rows.append([label, *(_span(values, ".4g") for values in figures), *([_span(seconds, ".1f")] * timed)])
    note = "Lowest to highest over pairs and seeds."
    if any(result.doubtful for result in results):
        note += f" {DOUBTFUL_NOTE}"
    heads = ["", *(HEALTH.get(name, name.replace("_", " ")) for name in names), *(["seconds"] * timed)]
    return f"## Health\n\n{note}\n\n" + _table(heads, rows)


def _of(results: Sequence[Result], setting: Setting) -> list[Result]:
    return [result for result in results if result.setting == setting]


def _failures_section(results: Sequence[Result]) -> str:
    lines = [
        f"- {escape(f'{result.pair}, {result.setting.label}, seed {result.seed}: {result.failure}')}"
        for result in results
        if result.failure is not None
    ]
    return "## Failures\n\n" + "\n".join(lines) if lines else ""


def _span(values: Sequence[float], form: str) -> str:
    """`3`, or `3 to 5`, or a dash for nothing; figures that are no number are counted, not hidden."""
    known = [value for value in values if not math.isnan(value)]
    lost = f" ({len(values) - len(known)} nan)" if len(known) < len(values) else ""
    if not known:
        return MISSING + lost
    low, high = format(min(known), form), format(max(known), form)
    return (low if low == high else f"{low} to {high}") + lost


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """The first column to the left, the others to the right."""
    heads = [escape(head) for head in heads]
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
