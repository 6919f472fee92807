"""Alignments as tables of a terminal."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from optical_cli.align.aligned_pair import receivers
from optical_cli.cli.show import WIDE
from optical_cli.cli.terminal import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from optical_cli.align.aligned_pair import AlignedPair, Alignment

ALIKE_MASS = 1.001
COLUMN = 24
"""Characters that a reg needs at least; those a terminal has no room for stand in a table of their own."""


def print_alignments(pair: "AlignedPair", teacher_language: str, language: str) -> None:
    """The sentences, and for each teacher token and each reg the student tokens that receive its mass."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False, emoji=False)
    tokens = [_on_a_line(token) for token in pair.student_tokens]
    indent = max(len(teacher_language), len(language), len("tokens"))
    print(f"\n{pair.name}")
    for head, said in ((teacher_language, pair.text), (language, pair.translation), ("tokens", " ".join(tokens))):
        _print_indented(console, head, _on_a_line(said), indent)
    label = max(len("effective targets"), *(len(_on_a_line(token)) for token in pair.teacher_tokens))
    most = max(1, (console.width - min(label, 20) - 2) // (COLUMN + 2))
    for start in range(0, len(pair.alignments), most):
        console.print(_table(pair, tokens, pair.alignments[start : start + most], teacher_language))


def _on_a_line(text: str) -> str:
    """Text of data as one line that cannot steer the terminal."""
    return plain(text).replace("\n", "\\n")


def _print_indented(console: "Console", head: str, text: str, indent: int) -> None:
    from rich.table import Table
    from rich.text import Text

    grid: Table = Table.grid(padding=(0, 2))
    grid.add_column(width=indent)
    grid.add_column(overflow="fold")
    grid.add_row(Text(head), Text(text))
    console.print(grid)


def _table(
    pair: "AlignedPair", tokens: Sequence[str], alignments: Sequence["Alignment"], teacher_language: str
) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table: Table = Table(box=box.SIMPLE, pad_edge=False)
    weighed = _weighed(pair)
    for head in (teacher_language, *(["mass %"] if weighed else []), *(f"reg {one.reg:g}" for one in alignments)):
        table.add_column(head, overflow="fold")
    shares = [alignment.shares for alignment in alignments]
    for row, (token, mass) in enumerate(zip(pair.teacher_tokens, pair.teacher_mass, strict=True)):
        own = [f"{100 * mass:.1f}"] if weighed else []
        table.add_row(
            *map(Text, (_on_a_line(token), *own, *(receivers(tokens, of_reg[row].tolist()) for of_reg in shares)))
        )
    table.add_section()
    gap = [""] * weighed
    table.add_row("cost", *gap, *(f"{alignment.cost:.4f}" for alignment in alignments))
    table.add_row("effective targets", *gap, *(f"{alignment.effective_targets:.2f}" for alignment in alignments))
    if any(alignment.unbalanced for alignment in alignments):
        table.add_row("mass", *gap, *(f"{alignment.mass:.3f}" for alignment in alignments))
    table.add_row("plan", *gap, *map(_health, alignments))
    return table


def _weighed(pair: "AlignedPair") -> bool:
    """Whether teacher tokens have masses of their own, which a share alone would not show."""
    return max(pair.teacher_mass) > ALIKE_MASS * min(pair.teacher_mass)


def _health(alignment: "Alignment") -> str:
    if not alignment.converged:
        return f"NOT converged, marginal error {alignment.marginal_error:.1e}"
    if not alignment.iterations:
        return "converged"
    return f"converged, {alignment.iterations} iteration{'s' * (alignment.iterations > 1)}"
