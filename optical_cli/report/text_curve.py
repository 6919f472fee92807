"""A measure against reg as lines of text, for a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optical_cli.artifacts.result import Result
from optical_cli.config.measures import parse_measure
from optical_cli.report.table import TableCell, tabulate

if TYPE_CHECKING:
    from optical_cli.report.findings import Findings

SHORTEST = 20  # characters of an axis
SMALLEST_SPAN = 0.02
DOT, LEFT, RIGHT, BAR = "●", "├", "┤", "─"
BELOW, ABOVE = "◂", "▸"  # a mean off the axis


def text_curve(
    results: Sequence[Result], measure: str, findings: "Findings | None" = None, width: int = 80
) -> list[str]:
    """Draw a block for each pair, with a line for each setting: label, mean, and a dot on an axis with its interval.

    All axes span the same difference of the measure, as far as the means of reg and their intervals need. A baseline
    off the axis is an arrow at its edge. Lines have at most `width` characters, or what an axis of 20 needs.
    """
    table = tabulate(results, [measure], findings)
    columns = [
        [(row.setting.label, row.setting.reg is not None, row.cells[i]) for row in table.rows]
        for i in range(len(table.columns))
    ]
    ends = [_ends([cell for _, trained, cell in own if trained] or [cell for _, _, cell in own]) for own in columns]
    span = min(1.0, 1.05 * max([SMALLEST_SPAN, *(high - low for low, high in ends)]))
    labels = max((len(row.setting.label) for row in table.rows), default=0)
    values = max((len(_value(cell)) for own in columns for _, _, cell in own), default=0)
    room = max(width - labels - values - 6, SHORTEST)
    seeds = f", mean of {table.seeds} seeds" if table.seeds > 1 else ""
    lines = []
    for column, own, (low, high) in zip(table.columns, columns, ends, strict=True):
        bottom = max(0.0, min((low + high - span) / 2, 1 - span))
        head = f"{column.pair_head}  {parse_measure(measure).label}{seeds}"
        first, last = f"{bottom:.2f}", f"{bottom + span:.2f}"
        before, axis = labels + values + 6, f"{first}{last:>{room - len(first)}}"
        lines += ["", f"{head:<{before}}{axis}"] if len(head) < before else ["", head, f"{'':<{before}}{axis}"]
        for label, _, cell in own:
            drawn = "".join(_axis(cell, bottom, span, room))
            lines.append(f"  {label:<{labels}}  {_value(cell):<{values}}  {drawn}".rstrip())
    every = "".join(lines)
    signs = {
        DOT: f"{DOT} mean",
        LEFT: f"{LEFT}{BAR}{RIGHT} 95 % interval",
        BELOW: f"{BELOW} below the axis",
        ABOVE: f"{ABOVE} above the axis",
    }
    legend = "   ".join(meaning for sign, meaning in signs.items() if sign in every)
    return [*lines[1:], *(["", f"  {legend}"] if legend else [])]


def _value(cell: TableCell) -> str:
    return " ".join(filter(None, [cell.figure, cell.missing, *cell.signs]))


def _ends(cells: Sequence[TableCell]) -> tuple[float, float]:
    values = [cell.mean for cell in cells if cell.mean is not None]
    values += [end for cell in cells if cell.interval for end in (cell.interval.low, cell.interval.high)]
    return min(values, default=0.0), max(values, default=0.0)


def _axis(cell: TableCell, bottom: float, span: float, room: int) -> list[str]:
    signs = [" "] * room
    if cell.mean is None:
        return signs

    def place(value: float) -> int:
        return round((value - bottom) / span * (room - 1))

    if cell.interval:
        low, high = place(cell.interval.low), place(cell.interval.high)
        for at in range(max(low, 0), min(high, room - 1) + 1):
            signs[at] = LEFT if at == low else RIGHT if at == high else BAR
    at = place(cell.mean)
    signs[min(max(at, 0), room - 1)] = BELOW if at < 0 else ABOVE if at >= room else DOT
    return signs
