"""Pairs by reg as a table whose cells are tinted."""

from dataclasses import dataclass

from optical_cli.artifacts.result import format_reg
from optical_cli.report.study import Study
from optical_cli.report.table import APPROXIMATE, DOUBTFUL, SMALLER, TableCell, tabulate


@dataclass(frozen=True)
class HeatCell:
    """A mean and how strongly it is tinted, 0 to 100."""

    text: str
    tint: int


@dataclass(frozen=True)
class Heat:
    """A row for each pair, a column for each reg."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


def heat(study: Study) -> Heat | None:
    """The tint is how far a mean is above the lowest of its pair, on one scale for all pairs; None without a curve."""
    findings = study.findings
    trained = [result for result in study.results if result.reg is not None]
    table = tabulate(trained, [findings.measure], findings)
    columns = [[row.cells[i] for row in table.rows] for i in range(len(table.columns))]
    lows = [min((cell.mean for cell in cells if cell.mean is not None), default=0.0) for cells in columns]
    rises = [
        cell.mean - low for cells, low in zip(columns, lows, strict=True) for cell in cells if cell.mean is not None
    ]
    if not rises:
        return None
    scale = max(rises) or 1.0
    return Heat(
        tuple(format_reg(row.setting.reg) for row in table.rows if row.setting.reg is not None),
        tuple(
            (column.pair_head, tuple(_cell(cell, low, scale) for cell in cells))
            for column, cells, low in zip(table.columns, columns, lows, strict=True)
        ),
    )


def _cell(cell: TableCell, low: float, scale: float) -> HeatCell:
    if cell.mean is None:
        return HeatCell(cell.text, 0)
    mean = f"{APPROXIMATE if cell.searches else ''}{cell.mean:.3f}"
    signs = (DOUBTFUL if cell.doubtful else "") + (SMALLER if cell.smaller else "")
    return HeatCell(f"{mean} {signs}".rstrip(), round(100 * (cell.mean - low) / scale))
