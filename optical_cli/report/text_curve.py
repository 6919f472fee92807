"""The curve as lines of text: for each pair a bar for each baseline and each reg."""

from collections.abc import Sequence

from optical_cli.artifacts.result import Result
from optical_cli.config.measures import parse_measure
from optical_cli.report.table import Table, TableCell, tabulate

EIGHTHS = " ▏▎▍▌▋▊▉"
SHORTEST_BAR = 8


def text_curve(results: Sequence[Result], measure: str, width: int = 80) -> list[str]:
    """One block a pair, one line a setting: label, value, bar; lines of at most `width` characters.

    All bars share a scale that begins at 0 and ends at the highest value. A width too small for a bar of
    eight characters is exceeded.
    """
    table = tabulate(results, [measure])
    labels = max((len(row.label) for row in table.rows), default=0)
    values = max((len(cell.text) for row in table.rows for cell in row.cells), default=0)
    room = max(width - labels - values - 6, SHORTEST_BAR)
    return [
        line
        for i in range(len(table.columns))
        for line in ([""] if i else []) + _block(table, i, measure, (labels, values, room))
    ]


def _block(table: Table, i: int, measure: str, widths: tuple[int, int, int]) -> list[str]:
    labels, values, room = widths
    top = max((cell.mean or 0.0 for row in table.rows for cell in row.cells), default=0.0)
    head = f"{table.columns[i].pair_head}  {parse_measure(measure).label}"
    if table.seeds > 1:
        head += f", mean of {table.seeds} seeds"
    lines = [
        f"  {row.label:<{labels}}  {row.cells[i].text:<{values}}  {_bar(row.cells[i], top, room)}".rstrip()
        for row in table.rows
    ]
    return [head, *lines]


def _bar(cell: TableCell, top: float, room: int) -> str:
    if not cell.mean or not top:
        return ""
    whole, eighths = divmod(round(8 * room * cell.mean / top), 8)
    return ("█" * whole + EIGHTHS[eighths]).rstrip()
