"""The table of a measure in LaTeX, for booktabs."""

import re

from optical_cli.config.measures import parse_measure
from optical_cli.report.findings.comparison import ABOVE, BELOW
from optical_cli.report.notes import notes_below
from optical_cli.report.published import published_rows
from optical_cli.report.study import Study
from optical_cli.report.table import APPROXIMATE, DOUBTFUL, MISSING, SMALLER, Cell, bare, tabulate

SPECIAL = re.compile(r"[\\{}$&#^_~%<>|\"]")
WORDS = {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
}  # fmt: skip
SIGNS = {
    ABOVE: r"$\blacktriangle$", BELOW: r"$\blacktriangledown$", DOUBTFUL: r"\dag{}", MISSING: "--", "−": "$-$",
    APPROXIMATE: r"$\approx$", SMALLER: r"\ddag{}",
}  # fmt: skip
PACKAGES = "% needs \\usepackage{booktabs, amssymb, graphicx}\n"
BESIDE = 3
"""Pairs that intervals fit beside the means of, on a page; those of more pairs stand below the means."""
AT_MOST_A_LINE = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%"


def latex(study: Study) -> str:
    """A `table` for each measure: settings down, pairs across; intervals in small print, marks raised.

    What is wider than a line is shrunk to it.
    """
    return PACKAGES + "\n".join(_table(study, measure) for measure in study.measures)


def escape(text: str) -> str:
    """Text from data as LaTeX that prints as it is, on one line."""
    line = " ".join(text.split())
    return SPECIAL.sub(lambda found: WORDS.get(found[0], "\\" + found[0]), line)


def _table(study: Study, measure: str) -> str:
    table = tabulate(study.results, [measure], study.findings)
    heads = " & ".join(["", *(escape(column.pair_head) for column in table.columns)])
    below = len(table.columns) > BESIDE
    rows = [f"{escape(row.label)} & {' & '.join(_cell(cell, below) for cell in row.cells)} \\\\" for row in table.rows]
    published = published_rows(study.published, table.columns)
    if published:
        rows += ["\\midrule", *(f"{' & '.join(_signs(escape(cell)) for cell in row)} \\\\" for row in published)]
    notes = " ".join(notes_below(study, table, published))
    caption = f"{parse_measure(measure).label}, {study.name}. {notes}"
    return "\n".join(
        [
            "\\begin{table}",
            f"\\caption{{{_signs(escape(caption))}}}",
            "\\medskip",
            "\\centering",
            AT_MOST_A_LINE,
            f"\\begin{{tabular}}{{{'l' * (1 + len(table.columns))}}}",
            "\\toprule",
            f"{heads} \\\\",
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}}",
            "\\end{table}",
            "",
        ]
    )


def _cell(cell: Cell, below: bool) -> str:
    """A mean with its marks, and the interval beside or below it."""
    if cell.mean is None:
        return _signs(escape(cell.text))
    wanting = f" ({cell.seeds} of {cell.of})" if cell.seeds < cell.of else ""
    raised = (DOUBTFUL if cell.doubtful else "") + (SMALLER if cell.smaller else "") + cell.marks
    marks = f"\\textsuperscript{{{_signs(raised)}}}" if raised else ""
    searched = SIGNS[APPROXIMATE] if cell.searches else ""
    mean = f"{searched}{cell.mean:.3f}"
    if cell.interval is None:
        return f"{mean}{wanting}{marks}"
    interval = f"{{\\scriptsize[{bare(cell.interval.low)}, {bare(cell.interval.high)}]}}"
    if not below:
        return f"{mean} {interval}{wanting}{marks}"
    return f"\\begin{{tabular}}[t]{{@{{}}l@{{}}}}{mean}{wanting}{marks}\\\\[-3pt]{interval}\\end{{tabular}}"


def _signs(text: str) -> str:
    for sign, command in SIGNS.items():
        text = text.replace(sign, command)
    return text
