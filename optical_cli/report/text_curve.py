"""The curve as lines of text: for each pair a bar for each baseline and each reg."""

from collections.abc import Sequence

from optical_cli.artifacts.result import Result
from optical_cli.config.measures import parse_measure
from optical_cli.report.table import tabulate

EIGHTHS = " ▏▎▍▌▋▊▉"
SHORTEST_BAR = 8


def text_curve(results: Sequence[Result], measure: str, width: int = 80) -> list[str]:
    """One block a pair, one line a setting: label, value, bar; lines of at most `width` characters.

    All bars share a scale that begins at 0 and ends at the highest value. A width too small for a bar of
    eight characters is exceeded.
    """
    table = tabulate(results, [measure])
    cells = [cell for row in table.rows for cell in row.cells]
    top = max((cell.mean or 0.0 for cell in cells), default=0.0) or 1.0
    labels = max((len(row.label) for row in table.rows), default=0)
    values = max((len(cell.text) for cell in cells), default=0)
    room = max(width - labels - values - 6, SHORTEST_BAR)
    seeds = f", mean of {table.seeds} seeds" if table.seeds > 1 else ""
    lines = []
    for i, column in enumerate(table.columns):
        lines += [""] if i else []
        lines.append(f"{column.pair_head}  {parse_measure(measure).label}{seeds}")
        for row in table.rows:
            whole, eighths = divmod(round(8 * room * (row.cells[i].mean or 0.0) / top), 8)
            bar = "█" * whole + EIGHTHS[eighths]
            lines.append(f"  {row.label:<{labels}}  {row.cells[i].text:<{values}}  {bar}".rstrip())
    return lines
