"""The tables of a written report as plain data, for each form of it to set in its own way."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from optical_cli.artifacts.result import Result, Setting
from optical_cli.artifacts.scores import Scores
from optical_cli.config.measures import parse_measure
from optical_cli.report.figures import effect, p_value, percent, signed
from optical_cli.report.findings import Findings
from optical_cli.report.notes import notes_below
from optical_cli.report.published import published_rows
from optical_cli.report.study import Study
from optical_cli.report.table import DOUBTFUL, DOUBTFUL_NOTE, MISSING, tabulate

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


@dataclass(frozen=True)
class Section:
    """A heading, a table whose first column names its rows, and what is to be said of it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def measure_section(study: Study, measure: str) -> Section:
    """Means of a measure: settings down, pairs across; below them what others have published."""
    table = tabulate(study.results, [measure], study.findings)
    published = published_rows(study.published, table.columns)
    return Section(
        parse_measure(measure).label,
        ("", *(column.pair_head for column in table.columns)),
        (*((row.label, *(cell.text for cell in row.cells)) for row in table.rows), *published),
        after=tuple(notes_below(study, table, published)),
    )


def tests_section(findings: Findings) -> Section | None:
    """Every comparison in figures."""
    rows = tuple(
        (
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
        )
        for one in findings.comparisons
    )
    heads = (
        "pair", "corpus", "compared", "difference", "95 % interval", "d_z", "p", "p (Holm)", "smallest to be seen",
        "topics won / lost", "seeds that agree",
    )  # fmt: skip
    note = (
        "Differences of means over topics and seeds, with bootstrap intervals over both. p: paired randomization test "
        "over topics, on means over seeds, two-sided; corrected by Holm over all rows. d_z: mean difference over its "
        "standard deviation between topics. Smallest to be seen: the true difference that these topics and seeds would "
        f"have shown in four of five studies, uncorrected. Seed of the resampling: {findings.seed}."
    )
    return Section(f"Tests of {parse_measure(findings.measure).label}", heads, rows, (note,)) if rows else None


def choice_section(findings: Findings) -> Section | None:
    """What choosing reg is worth on topics, or a bitext, that had no part in its score."""
    rows = tuple(
        (
            choice.pair,
            choice.corpus,
            ", ".join(f"{setting.label} {percent(share)}" for setting, share in choice.shares[:3]),
            f"{choice.score:.3f}",
            f"{choice.best.label}: {choice.best_score:.3f}",
            signed(choice.flattered),
            "; ".join(f"{one.ruler}: {one.setting.label}, {one.score:.3f}" for one in choice.by_bitext) or MISSING,
        )
        for choice in findings.choices
    )
    heads = (
        "pair", "corpus", "chosen on other topics", "scored", "best on all topics", "flattered by",
        "by held-out bitext",
    )  # fmt: skip
    note = (
        "reg is chosen on four fifths of the topics and scored on the rest, each fifth in turn, over 100 deals of "
        "topics. Flattered by: how far the best on all topics is above that. The held-out bitext chooses without any "
        "topic."
    )
    return Section("Choosing reg", heads, rows, (note,)) if rows else None


def topics_section(results: Sequence[Result]) -> Section:
    """How many topics stand behind the figures of a pair, and how many do not."""
    counts: tuple[Callable[[Scores], int], ...] = (
        lambda scores: scores.topics,
        lambda scores: scores.unjudged_topics,
        lambda scores: scores.empty_topics,
    )
    rows = []
    for pair, corpus in dict.fromkeys((result.pair, result.corpus) for result in results):
        scored = [r.scores for r in results if (r.pair, r.corpus) == (pair, corpus) and r.scores]
        rows.append((pair, corpus, *(_span([count(scores) for scores in scored], "d") for count in counts)))
    heads = ("pair", "corpus", "judged topics", "without judgements (left out)", "without results (scored 0)")
    return Section("Topics", heads, tuple(rows))


def health_section(results: Sequence[Result]) -> Section | None:
    """Lowest to highest figure of each setting, over its pairs and seeds; marked where plans did not converge."""
    by_setting = {
        setting: [result for result in results if result.setting == setting]
        for setting in sorted({result.setting for result in results}, key=lambda setting: setting.rank)
    }
    rows = [(_marked(setting.label, cells), cells) for setting, cells in by_setting.items()]
    return _health("Health", rows, "Lowest to highest over pairs and seeds.")


def students_section(results: Sequence[Result]) -> Section | None:
    """The health of every student; pairs that share one share its row."""
    students: dict[tuple[Setting, int, str], list[Result]] = {}
    for result in sorted(results, key=lambda result: (result.setting.rank, result.seed)):
        if result.health:
            students.setdefault((result.setting, result.seed, str(result.health)), []).append(result)
    rows = [
        (_marked(f"{setting.label}, seed {seed} ({', '.join(cell.pair for cell in cells)})", cells), cells)
        for (setting, seed, _), cells in students.items()
    ]
    return _health("Health of every student", rows, "A row for each training; the pairs it serves are in brackets.")


def failures(results: Sequence[Result]) -> list[str]:
    """What failed and why, a line each."""
    return [
        f"{result.pair}, {result.setting.label}, seed {result.seed}: {result.failure}"
        for result in results
        if result.failure is not None
    ]


def _marked(label: str, cells: Iterable[Result]) -> str:
    return f"{label} {DOUBTFUL}" if any(cell.doubtful for cell in cells) else label


def _health(title: str, labelled: Sequence[tuple[str, Sequence[Result]]], note: str) -> Section | None:
    """The figures of labelled groups of results; None where there is none at all."""
    results = [result for _, cells in labelled for result in cells]
    names = list(dict.fromkeys(name for result in results for name in result.health or ()))
    timed = any(result.seconds is not None for result in results)
    if not names and not timed:
        return None
    rows = []
    for label, cells in labelled:
        figures = [[cell.health[name] for cell in cells if cell.health and name in cell.health] for name in names]
        seconds = [cell.seconds for cell in cells if cell.seconds is not None]
        rows.append((label, *(_span(values, ".4g") for values in figures), *([_span(seconds, ".1f")] * timed)))
    if any(result.doubtful for result in results):
        note += f" {DOUBTFUL_NOTE}"
    heads = ("", *(HEALTH.get(name, name.replace("_", " ")) for name in names), *(["seconds"] * timed))
    return Section(title, heads, tuple(rows), (note,))


def _span(values: Sequence[float], form: str) -> str:
    """`3`, or `3 to 5`, or a dash for nothing; figures that are no number are counted, not hidden."""
    known = [value for value in values if not math.isnan(value)]
    lost = f" ({len(values) - len(known)} nan)" if len(known) < len(values) else ""
    if not known:
        return MISSING + lost
    low, high = format(min(known), form), format(max(known), form)
    return (low if low == high else f"{low} to {high}") + lost
