"""Heat maps of a sentence pair, side by side for each reg: where the mass of each teacher token goes.

All panels share one colour scale, the same in every picture: the share of a teacher token's mass, 0 to 100 %. It
grows with the square root, so that mass spread thin over twenty tokens can be told from none.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from optical_cli.align.aligned_pair import AlignedPair, Alignment
from optical_cli.artifacts.result import format_reg
from optical_cli.report.curve import DPI, FONT, STYLE
from optical_cli.report.glyphs import Glyphs, find_glyphs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

COLOURS = "Blues"  # grows darker from end to end: the same in grey, and to colour-blind readers
TICKS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
LEGEND = "which share of its mass each token sends where"
WIDEST = 18.0  # inches, as all sizes here that are not of letters; a further panel goes below
GAP = 0.25
MARGIN = 0.12
LINE = FONT * 1.35 / 72
HEAD_LINES = 3
LONGEST_LABEL = 18  # characters
BAR_HEIGHT = 1.2  # at least, for its numbers
BAR_WIDTH = 0.55  # with them


def draw_heat_maps(pair: AlignedPair, title: str, path_svg: Path, path_png: Path) -> bool:
    """Draw the alignments of a pair into both files; the same plans give the same bytes.

    Args:
        pair: rows are its teacher tokens, columns its student tokens.
        title: stands above, with the sentences.

    Returns:
        whether all tokens could be named. One with characters that no installed font has is named by its place,
        #1 being the first.
    """
    import matplotlib as mpl

    tokens = (*pair.teacher_tokens, *pair.student_tokens)
    glyphs = find_glyphs((*tokens, pair.text, pair.translation))
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's matplotlibrc says
        mpl.rcParams.update({**STYLE, "font.family": list(glyphs.families)})
        figure = _figure(pair, title, glyphs)
        figure.savefig(path_svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(path_png, format="png", dpi=DPI, metadata={"Software": None})
    return all(map(glyphs.draw, tokens))


@dataclass(frozen=True)
class _Grid:
    """Where panels stand, in inches from the upper left corner."""

    panel: tuple[float, float]
    slot: tuple[float, float]  # a panel with what is written around it
    left: float
    top: float
    columns: int
    rows: int

    @property
    def size(self) -> tuple[float, float]:
        width = self.left + self.columns * self.slot[0] + BAR_WIDTH + MARGIN
        height = self.top + max(self.rows * self.slot[1], HEAD_LINES * LINE + BAR_HEIGHT)
        return width, height + MARGIN

    def panel_box(self, number: int) -> tuple[float, float, float, float]:
        row, column = divmod(number, self.columns)
        return self._box(self.left + column * self.slot[0], self.top + row * self.slot[1], *self.panel)

    def bar_box(self) -> tuple[float, float, float, float]:
        return self._box(self.size[0] - MARGIN - BAR_WIDTH, self.top, 0.1, max(self.panel[1], BAR_HEIGHT))

    def _box(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """As matplotlib has it, below a head: left, bottom, width and height in shares of the figure."""
        wide, high = self.size
        return x / wide, 1 - (y + HEAD_LINES * LINE + height) / high, width / wide, height / high


def _figure(pair: AlignedPair, title: str, glyphs: Glyphs) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure()
    rows, columns = _labels(pair.teacher_tokens, glyphs), _labels(pair.student_tokens, glyphs)
    long = max(len(rows), len(columns)) > 24
    cell, font = (0.13, FONT - 1.5) if long else (0.17, FONT)
    panel = len(columns) * cell, len(rows) * cell
    heads = [line for alignment in pair.alignments for line in _head(alignment)]
    widths = [_widest(figure, texts, size, weight) for texts, size, weight in (
        (rows, font, "normal"), (columns, font, "normal"), (heads, FONT, "bold"),
    )]  # fmt: skip
    slot = max(panel[0], widths[2]) + GAP, HEAD_LINES * LINE + panel[1] + widths[1] + GAP
    left = MARGIN + widths[0] + 0.05
    most = min(len(pair.alignments), max(1, int((WIDEST - left - BAR_WIDTH) / slot[0])))
    lines = [f"{title}: {LEGEND}", *_sentences(pair, glyphs, left + most * slot[0])]
    grid = _Grid(panel, slot, left, MARGIN + LINE * (len(lines) + 0.5), most, -(-len(pair.alignments) // most))
    figure.set_size_inches(grid.size)
    _write_above(figure, lines)
    for number, alignment in enumerate(pair.alignments):
        ax = figure.add_axes(grid.panel_box(number))
        mesh = _draw(ax, alignment)
        ax.set_xticks([column + 0.5 for column in range(len(columns))], columns, rotation=90)
        ax.set_yticks([row + 0.5 for row in range(len(rows))], rows if number % most == 0 else [])
        ax.tick_params(length=0, pad=2, labelsize=font)
    _add_colour_bar(figure, grid.bar_box(), mesh)
    return figure


def _widest(figure: "Figure", texts: Sequence[str], size: float, weight: str) -> float:
    """Inches that the longest of some texts takes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    drawn = [figure.text(0, 0, text, fontsize=size, fontweight=weight) for text in texts]
    widths = [text.get_window_extent(renderer).width / figure.dpi for text in drawn]
    for text in drawn:
        text.remove()
    return max(widths)


def _labels(tokens: Sequence[str], glyphs: Glyphs) -> list[str]:
    """Each token, or its place where it cannot be drawn."""
    return [_short(token) if glyphs.draw(token) else f"#{place}" for place, token in enumerate(tokens, start=1)]


def _short(token: str) -> str:
    return token if len(token) <= LONGEST_LABEL else token[: LONGEST_LABEL - 1] + "…"


def _sentences(pair: AlignedPair, glyphs: Glyphs, width: float) -> list[str]:
    """The sentences that can be drawn, in lines that a figure of so many inches has room for."""
    characters = int(width / (FONT * 0.55 / 72))
    drawn = (sentence for sentence in (pair.text, pair.translation) if glyphs.draw(sentence))
    return [line for sentence in drawn for line in textwrap.wrap(sentence, characters)]


def _head(alignment: Alignment) -> list[str]:
    health = "" if alignment.converged else ", not converged"
    mass = f", mass {alignment.mass:.3f}" if alignment.unbalanced else ""
    return [
        f"reg {format_reg(alignment.reg)}{health}",
        f"cost {alignment.cost:.3f}{mass}",
        f"effective targets {alignment.effective_targets:.1f}",
    ]


def _write_above(figure: "Figure", lines: Sequence[str]) -> None:
    """The title and the sentences, from the upper left corner."""
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        weight = "normal" if number else "bold"
        y = 1 - (MARGIN + number * LINE) / height
        figure.text(MARGIN / width, y, line, fontsize=FONT, fontweight=weight, va="top")


def _draw(ax: "Axes", alignment: Alignment) -> "QuadMesh":
    from matplotlib.colors import PowerNorm

    mesh = ax.pcolormesh(alignment.shares, cmap=COLOURS, norm=PowerNorm(0.5, 0, 1), edgecolors="#dddddd", linewidth=0.3)
    ax.invert_yaxis()  # the first token on top
    for line, text in enumerate(reversed(_head(alignment))):
        bold = line == HEAD_LINES - 1
        ax.annotate(
            text, (0, 1), (0, 3 + line * LINE * 72), xycoords="axes fraction", textcoords="offset points",
            fontsize=FONT if bold else FONT - 1, fontweight="bold" if bold else "normal",
        )  # fmt: skip
    return mesh


def _add_colour_bar(figure: "Figure", box: tuple[float, float, float, float], mesh: "QuadMesh") -> None:
    bar = figure.add_axes(box)
    figure.colorbar(mesh, cax=bar, ticks=TICKS, format=lambda share, _place: f"{share:.0%}")
    bar.minorticks_off()
    bar.tick_params(length=2, pad=2, labelsize=FONT - 1)
