"""The tables of a report with their notes, as every form of it shows them: first what a reader needs, then details."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from optical_cli.artifacts.result import HEALTH, Result, Setting, corpora, in_order
from optical_cli.config.measures import parse_measure
from optical_cli.config.objectives import TRANSLATE, UNTRAINED
from optical_cli.report.drawing import svg
from optical_cli.report.findings import Findings, significance
from optical_cli.report.pair_by_pair import pair_by_pair
from optical_cli.report.published import TOLERANCE, drifts, published_rows, sources_note
from optical_cli.report.study import Entry, Study
from optical_cli.report.table import DOUBTFUL, DOUBTFUL_NOTE, MISSING, Table, TableCell, tabulate
from optical_cli.report.text import effect, listed, p_value, percent, signed
from optical_cli.report.training_curves import COSINE, COST, P1, Training, draw_small
from optical_cli.report.what_was_run import seeds_in_words

GAP = (
    "The gap is the mean {label} of the other pairs less that of the low-resource pairs, with equal weight for each "
    "pair ({pairs}). Collections differ in more than their languages, so the effect of a setting on the gap says more "
    "than the gap. Below 0 in the last columns, the low-resource pairs gained more than the others. Intervals are over "
    "the topics and seeds of these pairs, without correction for their number."
)
CHOICE = (
    "The best reg on all topics is chosen with the topics that score it, so its mean overstates what choosing reg is "
    "worth. Here reg is chosen on four fifths of the topics and scored on the rest, each fifth in turn, over 100 "
    "random splits. Overstated by: the best mean on all topics less that score. The held-out bitext chooses reg "
    "without any topic: by the highest P@1, or by the lowest transport cost."
)
HELD_OUT = (
    "Means over seeds. P@1 is the share of held-out sentences whose own translation scores highest; the transport cost "
    "is that of the exact plan, 0 to 2; the cosine is that of two tokens of a sentence, and rises as tokens collapse "
    "into one. Start: before the training. End: the student that was searched with."
)
CURVES = "The curves run over the steps of a training, a line for each seed: loss from 0, held-out P@1 from 0 to 1."
SHOWN_SHARE = 0.005  # smallest share of choices that a table shows: below it is 0 %


@dataclass(frozen=True)
class Section:
    """A heading, notes before a table, the table, whose first column names its rows, and notes after it.

    Attributes:
        published: Number of last rows with figures that others have published.
    """

    title: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str | TableCell, ...], ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    published: int = 0


def details(study: Study, *, page: bool = False) -> list[Section]:
    """Return what explains and qualifies the answer, in order; the `page` has more on students and artifacts."""
    tested = study.findings.measure
    sections = [
        _tests_section(study),
        Section("Pair by pair", before=tuple(pair_by_pair(study))),
        _choice_section(study.findings),
        _gap_section(study.findings),
        *(measure_section(study, measure) for measure in study.measures if measure != tested),
        _trainings_section(study.trainings, curves=page),
        _checks_section(study),
        _topics_section(study.results),
        *(
            [_students_section(study.results), _cost_section(study.ledger), _origin_section(study.ledger)]
            if page
            else [_health_section(study.results)]
        ),
    ]
    return [section for section in sections if section and (section.rows or section.before)]


def what_was_run_section(study: Study) -> Section:
    """Tabulate the settings and the sizes of the data, or what results tell of them, and how many cells have scores."""
    results = study.results
    seeds = sorted({result.seed for result in results if result.setting.is_trained})
    known = study.what_was_run or (
        ("transport", study.transport),
        ("corpus", ", ".join(corpora(list(results)))),
        ("seeds", seeds_in_words(seeds)),
    )
    scored, failed = sum(result.scores is not None for result in results), len(failures(results))
    cells = f"{scored} scored, {failed} failed, {len(results) - scored - failed} not made"
    return Section("What was run", ("", ""), (*known, ("cells", cells)))


def failures(results: Sequence[Result]) -> list[str]:
    """Return what failed and why, a line each."""
    failed = [one for one in results if one.failure is not None]
    return [f"{one.pair}, {one.setting.label}, seed {one.seed}: {one.failure}" for one in failed]


def measure_section(study: Study, measure: str, *, in_full: bool = False) -> Section:
    """Tabulate a measure, settings down and pairs across, above what others have published.

    With `in_full`, the notes explain the marks without the rest of the report, as a caption has to.
    """
    table = tabulate(study.results, [measure], study.findings)
    published = published_rows(study.published, table.columns)
    rows: list[tuple[str | TableCell, ...]] = [(row.label, *row.cells) for row in table.rows]
    marked = any(row.letter for row in table.rows) and study.findings.comparisons
    legend = significance.legend_in_full(study.findings, table.over) if in_full else significance.legend(study.findings)
    return Section(
        parse_measure(measure).label,
        ("", *(column.pair_head for column in table.columns)),
        (*rows, *published),
        after=(
            *table.notes, *([legend] if marked else []), *_untrained_note(study, table),
            *_translation_notes(study, table), *sources_note(study.published, published),
        ),
        published=len(published),
    )  # fmt: skip


def _untrained_note(study: Study, table: Table) -> Iterator[str]:
    rows = [row for row in table.rows if row.setting.objective == UNTRAINED]
    if rows and study.untrained_start:
        yield f"{rows[0].setting.label.capitalize()}: {study.untrained_start}."


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


def _tests_section(study: Study) -> Section | None:
    findings = study.findings
    seeds = max((one.seeds for one in findings.comparisons), default=1)
    rows = [
        {
            "pair": one.pair, "corpus": one.corpus, "compared": f"{one.setting.label} − {one.reference.label}",
            "difference": f"{signed(one.difference)} {one.mark}".strip(),
            "95 % interval": f"{signed(one.low)} to {signed(one.high)}",
            "d_z": effect(one.effect), "p": p_value(one.p), "p (Holm)": p_value(one.corrected),
            "detectable difference": f"{one.smallest:.3f}",
            **({} if one.corrected_equivalent is None else {
                f"equivalent within {one.margin:g}, p (Holm)": p_value(one.corrected_equivalent)
            }),
            "topics won / lost": f"{one.wins} / {one.losses}",
            **({"seeds that agree": f"{one.agreeing} of {one.seeds}"} if seeds > 1 else {}),
        }
        for one in findings.comparisons
    ]  # fmt: skip
    tested = tuple(map(significance.interaction_test, findings.interactions))
    title = f"Tests of {parse_measure(findings.measure).label}"
    if not rows:
        return Section(title, before=tested)
    return _section(title, rows, *significance.totals(findings), *tested, *significance.how_tested(findings, seeds))


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
    label = parse_measure(findings.measure).label
    rulers = dict.fromkeys(one.ruler for choice in findings.choices for one in choice.by_bitext)
    rows = []
    for choice in findings.choices:
        by_bitext = {one.ruler: one for one in choice.by_bitext}
        often = [f"{reg.label} {percent(share)}" for reg, share in choice.shares[:3] if share >= SHOWN_SHARE]
        row = {
            "pair": choice.pair, "corpus": choice.corpus,
            "chosen on other topics": ", ".join(often), label: f"{choice.score:.3f}",
            "best on all topics": choice.best.label, f"{label} of the best": f"{choice.best_score:.3f}",
            "overstated by": signed(choice.flattered),
        }  # fmt: skip
        for ruler in rulers:
            chosen = by_bitext.get(ruler)
            row[f"by held-out {ruler}"] = chosen.setting.label if chosen else MISSING
            row[f"{label} by {ruler}"] = f"{chosen.score:.3f}" if chosen else MISSING
        rows.append(row)
    return _section("Choosing reg", rows, CHOICE)


def _trainings_section(trainings: Sequence[Training], *, curves: bool) -> Section | None:
    highest: dict[str, float] = defaultdict(float)  # loss, by objective: losses of one objective share a scale
    for one in trainings:
        losses = [value for log in one.logs for _, value in log.loss]
        highest[one.setting.objective] = max([highest[one.setting.objective], *losses])
    rows, measured = [], {name for one in trainings for name in one.end}
    for one in trainings:
        row = {"": one.setting.label, "pairs": ", ".join(one.pairs), "seeds": str(one.seeds)}
        for name, label in ((P1, "P@1"), (COST, "transport cost"), (COSINE, "cosine of tokens")):
            for when, figures in (("start", one.start), ("end", one.end)) if name in measured or name != COSINE else ():
                row[f"{label}, {when}"] = f"{figures[name]:.3f}" if name in figures else MISSING
        if curves:
            loss, p1 = ([getattr(log, name) for log in one.logs] for name in ("loss", "p1"))
            row["loss"] = svg(draw_small(loss, highest[one.setting.objective] or 1.0), "")
            row["P@1"] = svg(draw_small(p1, 1.0), "")
        rows.append(row)
    return _section("Training and the held-out bitext", rows, *(HELD_OUT, CURVES) if curves else [HELD_OUT])


def _checks_section(study: Study) -> Section | None:
    """Compare BM25 with its published figures, as a check of collection, topics and judgements."""
    found = drifts(study.published, study.results)
    notes = []
    for pair in dict.fromkeys(one.pair for one in found):
        own = [one for one in found if one.pair == pair]
        verdict = (
            f"this is more than {TOLERANCE:g} off: the collection, topics, judgements or analyzer differ from those of "
            "the published figure, so find the reason before you compare with it."
            if any(one.flagged for one in own)
            else f"this is within {TOLERANCE:g}, as expected of other code with the same words and formula."
        )
        figures = listed([one.in_words for one in own])
        notes.append(f"{pair}: BM25 with the whitespace analyzer has {figures}; {verdict}")
    return Section("Check against published figures", before=tuple(notes))


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
    """Tabulate the health of the trainings of each setting: lowest to highest over its pairs and seeds."""
    by_setting = {
        setting.label: [result for result in results if result.setting == setting]
        for setting in in_order(result.setting for result in results)
    }
    return _health("Health", by_setting, "Lowest to highest over pairs and seeds.")


def _students_section(results: Sequence[Result]) -> Section | None:
    """Tabulate the health of every student, a row each, with the pairs that it serves."""
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
    """`3`, `3 to 5`, `3 to 5 (2 nan)` with figures that are not a number, `–` for nothing."""
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
    note = "Artifacts of this experiment in the cache; an artifact that several cells share counts once."
    return _section("Cost", rows, note) if entries else None


def _origin_section(entries: Sequence[Entry]) -> Section | None:
    found = {"commit": {entry.commit for entry in entries}}
    for package in dict.fromkeys(package for entry in entries for package in entry.versions):
        found[package] = {entry.versions.get(package) for entry in entries}
    rows = [{"": name, "made by": ", ".join(sorted(filter(None, values))) or MISSING} for name, values in found.items()]
    made = sorted(entry.created for entry in entries)
    return _section("Provenance", rows, f"Made from {made[0]} to {made[-1]}.") if entries else None


def keys_section(entries: Sequence[Entry]) -> Section | None:
    """List every artifact with the first digits of its key."""
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
