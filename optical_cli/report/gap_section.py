"""The table of the gap between low-resource and other pairs."""

from optical_cli.config.measures import parse_measure
from optical_cli.report.figures import signed
from optical_cli.report.findings import Findings, Gap, Interval
from optical_cli.report.sections import Section
from optical_cli.report.table import MISSING


def gap_section(findings: Findings) -> Section | None:
    """How far low-resource pairs lie behind the others under each setting, and how that differs from references."""
    if not findings.gaps:
        return None
    references = [one for one in findings.references if any(one == r for g in _gaps(findings) for r, _, _ in g.changes)]
    rows = []
    for gap in _gaps(findings):
        changes = {reference: (change, interval) for reference, change, interval in gap.changes}
        rows.append(
            (
                f"{gap.setting.label} ({findings.letter(gap.setting)})"
                if gap.setting in references
                else gap.setting.label,
                gap.corpus,
                f"{gap.low:.3f}",
                f"{gap.high:.3f}",
                signed(gap.value),
                f"{signed(gap.interval.low)} to {signed(gap.interval.high)}",
                *(_change(*changes[one]) if one in changes else MISSING for one in references),
            )
        )
    heads = (
        "", "corpus", "low-resource pairs", "other pairs", "gap", "95 % interval",
        *(f"gap less that of {findings.letter(one)}" for one in references),
    )  # fmt: skip
    pairs = "; ".join(
        f"low-resource: {', '.join(one.low)}, others: {', '.join(one.high)} (corpus {one.corpus})"
        for one in findings.gaps
    )
    note = (
        f"Mean {parse_measure(findings.measure).label} of the other pairs less that of the low-resource ones, each "
        f"pair counting alike ({pairs}). Collections differ in more than their languages, so what a setting does to "
        "the gap says more than the gap. Below 0 in the last columns, the low-resource pairs gained more than the "
        "others. Intervals are of these pairs, over topics and seeds; none is corrected for how many there are."
    )
    return Section("Gap between low-resource and other pairs", heads, tuple(rows), (note,))


def _gaps(findings: Findings) -> list[Gap]:
    return [gap for gaps in findings.gaps for gap in gaps.by_setting]


def _change(change: float, interval: Interval) -> str:
    return f"{signed(change)} [{signed(interval.low)}, {signed(interval.high)}]"
