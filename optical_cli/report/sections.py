"""What a report shows: its tables with their notes, decided once for each form of it to write."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from optical_cli.artifacts.result import HEALTH, Result, Setting, in_order
from optical_cli.config.measures import parse_measure
from optical_cli.config.objectives import TRANSLATE
from optical_cli.report.findings import Findings
from optical_cli.report.published import published_rows, sources_note
from optical_cli.report.study import Entry, Study
from optical_cli.report.table import DOUBTFUL, DOUBTFUL_NOTE, MISSING, Table, TableCell, tabulate
from optical_cli.report.text import effect, p_value, percent, signed

TESTS = (
    "Differences of means over topics and seeds, with bootstrap intervals over both. p: paired randomization test over "
    "topics, on means over seeds, two-sided; corrected by Holm over all rows. d_z: mean difference over its standard "
    "deviation between topics. Detectable difference: the true difference that these topics and seeds show with 80 % "
    "power, uncorrected. Seed of the resampling: {seed}."
)
GAP = (
    "Mean {label} of the other pairs less that of the low-resource ones, with equal weight for each pair ({pairs}). "
    "Collections differ in more than their languages, so the effect of a setting on the gap says more than the gap. "
    "Below 0 in the last columns, the low-resource pairs gained more than the others. Intervals are over the topics "
    "and seeds of these pairs, without correction for their number."
)
CHOICE = (
    "reg is chosen on four fifths of the topics and scored on the rest, each fifth in turn, over 100 random splits. "
    "Overstated by: how far the score of the best reg on all topics is above that. The held-out bitext chooses without "
    "any topic."
)


@dataclass(frozen=True)
class Section:
    """A heading, a table whose first column names its rows, and notes before and after it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str | TableCell, ...], ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    published: int = 0  # how many of the last rows others have measured


def markdown_sections(study: Study) -> list[Section]:
    """The tables of the Markdown report, in order."""
    sections = [
        *(measure_section(study, measure) for measure in study.measures),
        _tests_section(study.findings),
        _gap_section(study.findings),
        _choice_section(study.findings),
        _topics_section(study.results),
        _health_section(study.results),
    ]
    return [section for section in sections if section]


def page_sections(study: Study) -> list[Section]:
    """The tables of the HTML page, in order; `keys_section` stands apart."""
    tested = study.findings.measure
    sections = [
        measure_section(study, tested),
        _tests_section(study.findings),
        _choice_section(study.findings),
        _gap_section(study.findings),
        *(measure_section(study, measure) for measure in study.measures if measure != tested),
        _topics_section(study.results),
        _students_section(study.results),
        _cost_section(study.ledger),
        _origin_section(study.ledger),
    ]
    return [section for section in sections if section]


def failures(results: Sequence[Result]) -> list[str]:
    """What failed and why, a line each."""
    failed = [one for one in results if one.failure is not None]
    return [f"{one.pair}, {one.setting.label}, seed {one.seed}: {one.failure}" for one in failed]


def measure_section(study: Study, measure: str) -> Section:
    """Means of a measure: settings down, pairs across; below them what others have published."""
    table = tabulate(study.results, [measure], study.findings)
    published = published_rows(study.published, table.columns)
    rows: list[tuple[str | TableCell, ...]] = [(row.label, *row.cells) for row in table.rows]
    return Section(
        parse_measure(measure).label,
        ("", *(column.pair_head for column in table.columns)),
        (*rows, *published),
        after=(*table.notes, *_translation_notes(study, table), *sources_note(study.published, published)),
        published=len(published),
    )


def _translation_notes(study: Study, table: Table) -> Iterator[str]:
    baseline = Setting(TRANSLATE, None)
    translated = {"Topics": study.translated}
    if any(row.setting == baseline for row in table.rows):
        translated[baseline.label.capitalize()] = study.translators
    for what, by_pair in translated.items():
        pairs = defaultdict(list)
        for pair in dict.fromkeys(column.pair for column in table.columns):
            if pair in by_pair:
                pairs[by_pair[pair]].append(pair)
        yield from (f"{what} of {', '.join(names)}: translated by {by}." for by, names in pairs.items())


def _tests_section(findings: Findings) -> Section | None:
    rows = [
        {
            "pair": one.pair, "corpus": one.corpus, "compared": f"{one.setting.label} − {one.reference.label}",
            "difference": f"{signed(one.difference)} {one.mark}".strip(),
            "95 % interval": f"{signed(one.low)} to {signed(one.high)}",
            "d_z": effect(one.effect), "p": p_value(one.p), "p (Holm)": p_value(one.corrected),
            "detectable difference": f"{one.smallest:.3f}",
            "topics won / lost": f"{one.wins} / {one.losses}",
            "seeds that agree": f"{one.agreeing} of {one.seeds}",
        }
        for one in findings.comparisons
    ]  # fmt: skip
    return _section(f"Tests of {parse_measure(findings.measure).label}", rows, TESTS.format(seed=findings.seed))


def _gap_section(findings: Findings) -> Section | None:
    every = [gap for gaps in findings.gaps for gap in gaps.by_setting]
    compared = {reference for gap in every for reference, _, _ in gap.changes}
    references = [reference for reference in findings.references if reference in compared]
    rows = []
    for gap in every:
        letter = f" ({findings.letter(gap.setting)})" if gap.setting in references else ""
        changes = {
            reference: f"{signed(change)} [{signed(interval.low)}, {signed(interval.high)}]"
            for reference, change, interval in gap.changes
        }
        rows.append({
            "": f"{gap.setting.label}{letter}", "corpus": gap.corpus,
            "low-resource pairs": f"{gap.low:.3f}", "other pairs": f"{gap.high:.3f}", "gap": signed(gap.value),
            "95 % interval": f"{signed(gap.interval.low)} to {signed(gap.interval.high)}",
            **{f"gap less that of {findings.letter(one)}": changes.get(one, MISSING) for one in references},
        })  # fmt: skip
    pairs = "; ".join(
        f"low-resource: {', '.join(one.low)}, others: {', '.join(one.high)} (corpus {one.corpus})"
        for one in findings.gaps
    )
    note = GAP.format(label=parse_measure(findings.measure).label, pairs=pairs)
    return _section("Gap between low-resource and other pairs", rows, note)


def _choice_section(findings: Findings) -> Section | None:
    rows = [
        {
            "pair": choice.pair, "corpus": choice.corpus,
            "chosen on other topics": ", ".join(f"{reg.label} {percent(share)}" for reg, share in choice.shares[:3]),
            "scored": f"{choice.score:.3f}", "best on all topics": f"{choice.best.label}: {choice.best_score:.3f}",
            "overstated by": signed(choice.flattered),
            "by held-out bitext": "; ".join(f"{o.ruler}: {o.setting.label}, {o.score:.3f}" for o in choice.by_bitext)
            or MISSING,
        }
        for choice in findings.choices
    ]  # fmt: skip
    return _section("Choosing reg", rows, CHOICE)


def _topics_section(results: Sequence[Result]) -> Section | None:
    counts = {
        "judged topics": "topics",
        "without judgements (left out)": "unjudged_topics",
        "without results (scored 0)": "empty_topics",
    }
    rows = []
    for pair, corpus in dict.fromkeys((result.pair, result.corpus) for result in results):
        scored = [one.scores for one in results if (one.pair, one.corpus) == (pair, corpus) and one.scores]
        spans = {head: _span([getattr(scores, count) for scores in scored], "d") for head, count in counts.items()}
        rows.append({"pair": pair, "corpus": corpus, **spans})
    return _section("Topics", rows)


def _health_section(results: Sequence[Result]) -> Section | None:
    """Lowest to highest figure of each setting, over its pairs and seeds; marked where plans did not converge."""
    by_setting = {
        setting.label: [result for result in results if result.setting == setting]
        for setting in in_order(result.setting for result in results)
    }
    return _health("Health", by_setting, "Lowest to highest over pairs and seeds.")


def _students_section(results: Sequence[Result]) -> Section | None:
    """The health of every student; pairs that share one share its row."""
    students = defaultdict(list)
    for result in sorted(results, key=lambda result: (result.setting.rank, result.seed)):
        if result.health:
            students[result.setting, result.seed, str(result.health)].append(result)
    labelled = {
        f"{setting.label}, seed {seed} ({', '.join(cell.pair for cell in cells)})": cells
        for (setting, seed, _), cells in students.items()
    }
    return _health("Health of every student", labelled, "A row for each training; the pairs it serves are in brackets.")


def _health(title: str, by_label: Mapping[str, Sequence[Result]], note: str) -> Section | None:
    results = [result for cells in by_label.values() for result in cells]
    names = dict.fromkeys(name for result in results for name in result.health or ())
    timed = any(result.seconds is not None for result in results)
    if not names and not timed:
        return None
    rows = []
    for label, cells in by_label.items():
        row = {"": f"{label} {DOUBTFUL}" if any(cell.doubtful for cell in cells) else label}
        for name in names:
            figures = [cell.health[name] for cell in cells if cell.health and name in cell.health]
            row[HEALTH.get(name, name.replace("_", " "))] = _span(figures, ".4g")
        if timed:
            row["seconds"] = _span([cell.seconds for cell in cells if cell.seconds is not None], ".1f")
        rows.append(row)
    return _section(title, rows, f"{note} {DOUBTFUL_NOTE}" if any(result.doubtful for result in results) else note)


def _span(values: Sequence[float], form: str) -> str:
    """`3`, `3 to 5`, or a dash for nothing; figures that are not a number are counted: `3 to 5 (2 nan)`."""
    known = sorted(value for value in values if not math.isnan(value))
    lost = f" ({len(values) - len(known)} nan)" if len(known) < len(values) else ""
    ends = dict.fromkeys(format(value, form) for value in (*known[:1], *known[-1:]))
    return (" to ".join(ends) or MISSING) + lost


def _cost_section(entries: Sequence[Entry]) -> Section | None:
    by_kind = {kind: [one for one in entries if one.kind == kind] for kind in (entry.kind for entry in entries)}
    rows = []
    for kind, own in {**by_kind, "all": entries}.items():
        tokens = [entry.tokens for entry in own if entry.tokens is not None]
        rows.append({
            "": kind, "artifacts": str(len(own)), "seconds": f"{sum(entry.seconds for entry in own):.1f}",
            "tokens encoded": f"{sum(tokens):,}" if tokens else MISSING,
            "MB": f"{sum(entry.size for entry in own) / 1e6:.1f}",
        })  # fmt: skip
    note = "What the cache holds of this experiment: each artifact once, however many cells share it."
    return _section("Cost", rows, note) if entries else None


def _origin_section(entries: Sequence[Entry]) -> Section | None:
    found = {"commit": {entry.commit for entry in entries}}
    for package in dict.fromkeys(package for entry in entries for package in entry.versions):
        found[package] = {entry.versions.get(package) for entry in entries}
    rows = [{"": name, "made by": ", ".join(sorted(filter(None, values))) or MISSING} for name, values in found.items()]
    made = sorted(entry.created for entry in entries)
    return _section("Provenance", rows, f"Made from {made[0]} to {made[-1]}.") if entries else None


def keys_section(entries: Sequence[Entry]) -> Section | None:
    """Every artifact by the first digits of its key."""
    rows = [
        {
            "artifact": entry.label, "kind": entry.kind, "key": entry.key,
            "seconds": f"{entry.seconds:.1f}", "MB": f"{entry.size / 1e6:.1f}",
        }
        for entry in entries
    ]  # fmt: skip
    return _section("Artifacts", rows)


def _section(title: str, rows: Sequence[Mapping[str, str]], *before: str) -> Section | None:
    return Section(title, tuple(rows[0]), tuple(tuple(row.values()) for row in rows), before) if rows else None
