"""The chart of a measure against reg: a line for each pair, a level line for each of its baselines.

reg stands on a log axis; 0 (the exact plan) and inf (the product of the marginals) are named points at its
ends, each set apart by a break in the axis. Where one panel cannot name all lines, each pair gets its own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optical_cli.artifacts.result import Result, corpora, format_reg
from optical_cli.config.measures import parse_measure
from optical_cli.report.axis import Scale, spread
from optical_cli.report.findings import Interval
from optical_cli.report.study import Study
from optical_cli.report.table import FULL
from optical_cli.report.text import harmless

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers, less its yellow, which is faint on paper
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LineStyle = tuple[int, tuple[int, ...]]  # matplotlib: offset, lengths on and off
DASHES: tuple[LineStyle, ...] = (
    (0, (6, 3)),
    (0, (2, 2)),
    (0, (6, 2, 1, 2)),
    (0, (1, 3)),
    (0, (8, 2, 1, 2, 1, 2)),
)

RIGHT_LABELS = 8  # as many as can be told apart beside one panel
X_LABEL = "reg (regularization of the transport, in units of cosine distance)"
BESIDE = 0.025  # decades between the intervals of two lines
FONT = 8.0  # points
DPI = 160

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "optical",  # element ids, random otherwise
    "svg.fonttype": "path",  # the same look without the font
    "text.parse_math": False,  # a $ in a name is a $
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": FONT,
    "axes.linewidth": 0.8,
}


@dataclass(frozen=True)
class Series:
    """A pair on a corpus: what is drawn in one colour."""

    label: str
    colour: str
    marker: str
    values: dict[float, list[float]]  # reg -> a value for each seed
    failed: frozenset[float]  # reg values of which no seed was scored and one failed
    baselines: dict[str, float]  # label -> mean over the seeds
    intervals: dict[float, Interval]  # reg -> that of its mean

    def mean(self, reg: float) -> float:
        """The mean over the seeds, nan without any: matplotlib breaks a line there."""
        values = self.values.get(reg, [])
        return math.fsum(values) / len(values) if values else math.nan


def draw_curve(study: Study, path_svg: Path, path_png: Path) -> None:
    """Draws the tested measure against reg into both files; the same results give the same bytes.

    Seeds are points, lines go through their means, bars are the intervals of these. A setting that failed has a cross
    at the foot of the chart and a gap in its line.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    results, measure = study.results, study.findings.measure
    series = _series(study)
    scale = Scale(tuple(sorted({result.reg for result in results if result.reg is not None})))
    with mpl.rc_context():
        mpl.rcdefaults()  # whatever the user's matplotlibrc says
        mpl.rcParams.update(STYLE)
        figure = _figure(series, scale, measure, harmless(f"{study.name}: {_corpus_title(results)}"))
        ConstrainedLayoutEngine().execute(figure)  # once, and not for each file
        # a canvas draws once where savefig draws twice
        svg: Any = FigureCanvasSVG(figure)
        svg.print_svg(path_svg, metadata={"Date": None, "Creator": None})
        figure.set_dpi(DPI)
        png: Any = FigureCanvasAgg(figure)
        png.print_png(path_png, metadata={"Software": None})


def _series(study: Study) -> list[Series]:
    results, measure = study.results, study.findings.measure
    several = len(corpora(list(results))) > 1
    series = []
    for i, (pair, corpus) in enumerate(dict.fromkeys((result.pair, result.corpus) for result in results)):
        own = [result for result in results if (result.pair, result.corpus) == (pair, corpus)]
        values: dict[float, list[float]] = {}
        levels: dict[str, list[float]] = {}
        for result in sorted(own, key=lambda result: (result.setting.rank, result.seed)):
            value = result.value(measure)
            if value is None:
                continue
            if result.reg is None:
                levels.setdefault(result.setting.label, []).append(value)
            else:
                values.setdefault(result.reg, []).append(value)
        failed = {result.reg for result in own if result.failure is not None and result.reg is not None}
        series.append(
            Series(
                label=harmless(f"{pair} ({corpus})" if several else pair),
                colour=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                values=values,
                failed=frozenset(failed - values.keys()),
                baselines={harmless(label): math.fsum(level) / len(level) for label, level in levels.items()},
                intervals={
                    setting.reg: interval
                    for (of, on, setting, name), interval in study.findings.intervals.items()
                    if (of, on, name) == (pair, corpus, measure) and setting.reg is not None
                },
            )
        )
    return series


def _corpus_title(results: Sequence[Result]) -> str:
    modes = corpora(list(results))
    if len(modes) == 1:
        return f"{modes[0]} corpus" if modes[0] == FULL else f"corpus {modes[0]}"
    return "corpora differ, named with each pair" if modes else "no results"


def _figure(series: list[Series], scale: Scale, measure: str, title: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    split = len(series) > 1 and sum(1 + len(one.baselines) for one in series) > RIGHT_LABELS
    panels = [[one] for one in series] if split else [series]
    columns = min(len(panels), 2 if len(panels) == 4 else 3)
    rows = math.ceil(len(panels) / columns)
    width, height = (3.4, 2.3) if split else (7.0, 3.8)  # inches, of a panel with the labels to its right
    figure = Figure(figsize=(width * columns, height * rows + 0.7))
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=FONT + 2)
    several = any(len(seeds) > 1 for one in series for seeds in one.values.values())
    over = "topics and seeds" if several else "topics"
    figure.supylabel(f"{parse_measure(measure).label} (mean over {over})", fontsize=FONT)
    failed = any(one.failed for one in series)
    barred = any(one.intervals for one in series)
    notes = f" · bars: 95 % over {over}" * barred + " · hollow: one seed" * several + " · × failed" * failed
    figure.supxlabel(X_LABEL + notes, fontsize=FONT)
    labels = dict.fromkeys(label for one in series for label in one.baselines)
    dashes = dict(zip(labels, cycle(DASHES), strict=False))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    axes = [grid[i // columns][i % columns] for i in range(rows * columns)]
    for spare in axes[len(panels) :]:
        spare.set_visible(False)
    _set_limits(axes[0], series, scale)
    for i, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
        for j, one in enumerate(panel):
            _draw_series(ax, one, scale, dashes, foot=0.03 * (j + 1), beside=BESIDE * (j - (len(panel) - 1) / 2))
        _dress(ax, scale, room=width - 1.4, below=i + columns >= len(panels))
        if split:
            ax.set_title(panel[0].label, fontsize=FONT, color=panel[0].colour, fontweight="bold", loc="left")
        _label_lines(ax, panel, scale, height=height - 0.4, named=not split)
    return figure


def _set_limits(ax: "Axes", series: list[Series], scale: Scale) -> None:
    values = [value for one in series for seeds in one.values.values() for value in seeds]
    values += [value for one in series for value in one.baselines.values()]
    values += [end for one in series for interval in one.intervals.values() for end in (interval.low, interval.high)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = max(0.08 * (high - low), 0.01)
    ax.set_ylim(max(low - room, -0.02), min(high + room, 1.02))
    ends = (scale(scale.regs[0]), scale(scale.regs[-1])) if scale.regs else (0.0, 0.0)
    margin = max(0.04 * (ends[1] - ends[0]), 0.12)
    ax.set_xlim(ends[0] - margin, ends[1] + margin)


def _draw_series(
    ax: "Axes", one: Series, scale: Scale, dashes: dict[str, LineStyle], *, foot: float, beside: float
) -> None:
    """The level lines, the curve through the means, seeds, intervals `beside` them, crosses at `foot` for faults."""
    for label, level in one.baselines.items():
        ax.axhline(level, color=one.colour, linewidth=0.8, linestyle=dashes[label], alpha=0.75, zorder=1)

    def line(regs: Sequence[float], **look: Any) -> None:
        ax.plot([scale(reg) for reg in regs], [one.mean(reg) for reg in regs], color=one.colour, **look)

    line(scale.finite, linewidth=1.6)
    for ends in scale.breaks:  # across a break: nothing is known between
        line(ends, linewidth=1.0, linestyle=":")
    line(scale.regs, linestyle="none", marker=one.marker, markersize=5, zorder=3)
    for reg, interval in one.intervals.items():
        ax.vlines(
            scale(reg) + beside, interval.low, interval.high, color=one.colour, linewidth=1.0, alpha=0.6, zorder=2
        )
    seeds = [(scale(reg), value) for reg, values in one.values.items() if len(values) > 1 for value in values]
    if seeds:
        ax.plot(
            *zip(*seeds, strict=True),
            color=one.colour,
            linestyle="none",
            marker=one.marker,
            markersize=3.5,
            markerfacecolor="none",
            markeredgewidth=0.7,
            zorder=2,
        )
    for reg in sorted(one.failed):
        at_foot = ax.get_xaxis_transform()
        ax.plot(scale(reg), foot, color=one.colour, marker="x", markersize=5, transform=at_foot)


def _dress(ax: "Axes", scale: Scale, *, room: float, below: bool) -> None:
    """Spines, grid, ticks for an axis `room` inches long, and the marks of the breaks."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#dddddd", linewidth=0.6, zorder=0)
    ax.set_xticks([scale(reg) for reg in scale.regs], minor=True)
    ticks = scale.ticks(most=room * 72 / (3 * FONT))
    ax.set_xticks([scale(reg) for reg in ticks], [format_reg(reg) for reg in ticks])
    ax.tick_params(axis="x", which="both", labelbottom=below)
    for end, neighbour in scale.breaks:
        middle = (scale(end) + scale(neighbour)) / 2
        ax.plot(
            [middle - 0.03, middle + 0.03],
            [0, 0],
            color="black",
            linestyle="none",
            marker=[(-0.5, -1), (0.5, 1)],
            markersize=8,
            clip_on=False,
            transform=ax.get_xaxis_transform(),
        )


def _label_lines(ax: "Axes", panel: list[Series], scale: Scale, *, height: float, named: bool) -> None:
    """Names the lines at the right edge of a panel `height` inches high, apart where they would overlap."""
    wanted = []
    for one in panel:
        scored = [reg for reg in scale.regs if one.values.get(reg)]
        if scored and named:
            wanted.append((one.mean(scored[-1]), one.label, one.colour, "bold"))
        for label, level in one.baselines.items():
            wanted.append((level, f"{one.label} {label}" if len(panel) > 1 else label, one.colour, "normal"))
    wanted.sort()
    low, high = ax.get_ylim()
    levels = [(value - low) / (high - low) for value, *_ in wanted]
    places = spread(levels, FONT * 1.2 / 72 / height)
    for (_, label, colour, weight), level, place in zip(wanted, levels, places, strict=True):
        ax.annotate(
            label,
            xy=(1.0, level),
            xytext=(1.05, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=FONT - 1,
            fontweight=weight,
            color=colour,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
