"""Curves of a measure against reg: a drawing for each pair, with level lines for its baselines.

The axis of reg is logarithmic. 0 (the exact plan) and inf (the product of the marginals) are named points at its ends,
set apart by a break in the axis. Effective targets take the place of reg where these were asked for, and on the curves
over what was measured. All drawings of a report span the same difference of the measure, as far as the values of reg
need: a baseline beyond that is an arrow at the edge of the axis, with its value.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from optical_cli.artifacts.result import Setting, corpora
from optical_cli.config.measures import parse_measure
from optical_cli.report.drawing import Bundle, Dot, Drawing, Label, Line, Shape, sheet, width_of
from optical_cli.report.figure_files import write_figure
from optical_cli.report.findings import Interval
from optical_cli.report.study import Study
from optical_cli.report.table import FAILED, FULL, tabulate
from optical_cli.transport.solvers import format_reg

LEFT, RIGHT, TOP, FOOT = 58, 332, 14, 222  # edges of the axes
BELOW = 38  # room for the names of reg
MIDDLE = (LEFT + RIGHT) / 2
LINE = 15.0  # height of the name of a baseline
NAME = 23  # characters for the name of a baseline with its value, beside the axes
NAMED, MEASURED = 9, 6  # values of reg that have room below them, and longer ones that were measured
TICKS = 5
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
EFFECTIVE = "effective targets"
GAP = 0.45  # decades between 0 or inf and the rest of the axis


@dataclass(frozen=True)
class Score:
    """The score of a setting: the mean over topics and seeds, and the value of each seed."""

    setting: Setting
    mean: float
    interval: Interval | None
    seeds: Sequence[float] = ()

    @property
    def said(self) -> str:
        """The score in words: `reg 0.02: 0.523, 95 % interval 0.491 to 0.555.`."""
        interval = f", 95 % interval {' to '.join(map(_figure, self.ends))}" if self.ends else ""
        return f"{self.setting.label}: {_figure(self.mean)}{interval}."

    @property
    def ends(self) -> tuple[float, ...]:
        """Lower and upper end of the interval; empty without one."""
        return (self.interval.low, self.interval.high) if self.interval else ()


@dataclass(frozen=True)
class Curve:
    """The content of a drawing: the scores of a pair, or the gap between pairs.

    Attributes:
        pair: The pair; "" of a gap.
        axis: Name of the upright axis.
        across: Name of the other axis: `reg`, or what stands for it.
        said: For a screen reader.
        scores: Baselines first.
        failed: Values of reg without a score, of which a seed failed.
        floor: The lowest possible value.
        places: Where a setting stands across, if not at its reg.
    """

    caption: str
    pair: str
    corpus: str
    axis: str
    across: str
    said: str
    scores: Sequence[Score]
    failed: Sequence[float] = ()
    floor: float = 0.0
    places: Mapping[Setting, float] = field(default_factory=dict)

    @property
    def trained(self) -> dict[float, Score]:
        """The scores of transport, by reg, or by what stands for it."""
        trained = [(one.setting.reg, one) for one in self.scores if one.setting.reg is not None]
        return {self.places.get(one.setting, reg): one for reg, one in trained}

    @property
    def levels(self) -> list[Score]:
        """The scores of the baselines, highest first."""
        return sorted((one for one in self.scores if one.setting.reg is None), key=lambda one: -one.mean)

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value to show: of reg and its intervals, or of baselines if no reg has a score."""
        values = [value for one in list(self.trained.values()) or self.levels for value in (one.mean, *one.ends)]
        return min(values, default=0.0), max(values, default=0.0)


def pair_curves(study: Study) -> list[Curve]:
    """Return a curve for each pair on a corpus."""
    measure = study.findings.measure
    table = tabulate(study.results, [measure], study.findings)
    seeds: dict[tuple[str, str, Setting], list[float]] = defaultdict(list)
    for result in study.results:
        if (value := result.value(measure)) is not None:
            seeds[result.pair, result.corpus, result.setting].append(value)
    curves = []
    for i, column in enumerate(table.columns):
        cells = [(row.setting, row.cells[i]) for row in table.rows]
        scores = [
            Score(setting, cell.mean, cell.interval, seeds[column.pair, column.corpus, setting])
            for setting, cell in cells
            if cell.mean is not None
        ]
        failed = [setting.reg for setting, cell in cells if setting.reg is not None and cell.text == FAILED]
        axis, across = parse_measure(measure).label, name_across(study)
        said = f"{axis} of {column.pair_head} against {across}."
        curves.append(Curve(column.pair_head, column.pair, column.corpus, axis, across, said, scores, failed))
    return curves


def name_across(study: Study) -> str:
    """Return the name of the axis of reg: `effective targets` where these were asked for."""
    return "reg" if study.strength == "reg" else EFFECTIVE


def measured_curves(study: Study) -> list[Curve]:
    """Return the curves of pairs over what was measured of the trainings, in place of what was asked for.

    Of a comparison of reg, these are the effective targets of the plans, the mean over the training; of a comparison of
    effective targets, it is the reg that was found for them. A reg of two pairs is another strength in each of them, so
    only on this axis can pairs be laid beside each other. A pair of which two settings share a place has no curve.
    """
    name, across = ("effective_targets", EFFECTIVE) if study.strength == "reg" else ("reg_found", "reg")
    found: dict[tuple[str, str, Setting], list[float]] = defaultdict(list)
    for result in study.results:
        if result.reg is not None and name in (result.health or {}):
            found[result.pair, result.corpus, result.setting].append((result.health or {})[name])
    curves = []
    for curve in pair_curves(study):
        own = {one: values for (*place, one), values in found.items() if place == [curve.pair, curve.corpus]}
        places = {one: round(fmean(values), 4) for one, values in own.items()}
        scores = [one for one in curve.scores if one.setting in places]
        if len(set(places.values())) == len(places) == len(curve.trained) > 1:
            said = curve.said.replace(f"against {curve.across}", f"against {across}")
            curves.append(replace(curve, across=across, said=said, scores=scores, failed=(), places=places))
    return curves


def gap_curves(study: Study) -> list[Curve]:
    """Return the gap between low-resource and other pairs, for each corpus mode that has both."""
    label = parse_measure(study.findings.measure).label
    curves = []
    for gaps in study.findings.gaps:
        caption = "Gap" if gaps.corpus == FULL else f"Gap ({gaps.corpus})"
        across = name_across(study)
        said = f"{label} of {', '.join(gaps.high)} less that of {', '.join(gaps.low)}, against {across}."
        scores = [Score(gap.setting, gap.value, gap.interval) for gap in gaps.by_setting]
        curves.append(Curve(caption, "", gaps.corpus, f"gap in {label}", across, said, scores, floor=-math.inf))
    return curves


def legend(curves: Sequence[Curve], measure: str) -> str:
    """Explain the signs that the drawings have."""
    several = any(len(one.seeds) > 1 for curve in curves for one in curve.scores)
    over = "topics and seeds" if several else "topics"
    signs = {
        f"Dot: mean over {over}": True,
        "ring: a single seed": several,
        f"bar: 95 % interval over {over}": any(one.interval for curve in curves for one in curve.scores),
        "dashed line: a baseline, or an arrow at the edge with its value if it is off the axis": any(
            curve.levels for curve in curves
        ),
        "cross: failed": any(curve.failed for curve in curves),
    }
    return (
        f"{'; '.join(sign for sign, drawn in signs.items() if drawn)}. The axes span the same difference of "
        f"{parse_measure(measure).label}, so slopes compare; they do not begin at 0. Dotted: nothing is known between "
        "reg 0 or inf and the next value."
    )


def draw_curve(study: Study, *paths: Path) -> None:
    """Draw the tested measure against reg into .svg, .png or .pdf files; the same results give the same bytes."""
    curves, label = pair_curves(study), parse_measure(study.findings.measure).label
    room = max([NAME, *(len(_named(one)) for curve in curves for one in curve.levels)])  # a picture has no pointer
    drawings = draw_curves(curves, room)
    columns = 2 if len(drawings) == 4 else 3
    rows = [drawings[i : i + columns] for i in range(0, len(drawings), columns)]
    modes = corpora(list(study.results))
    mode = f"corpus {modes[0]}" if len(modes) == 1 else "corpora differ, named with each pair"
    title = f"{study.name}: {'full corpus' if modes == [FULL] else mode if modes else 'no results'}"
    against = f"{label} against {study.axis}"
    drawing = sheet(rows, title, [against], [legend(curves, study.findings.measure)])
    write_figure(drawing, *paths)


def draw_curves(curves: Sequence[Curve], room: int = NAME) -> list[Drawing]:
    """Draw curves on axes of one span, with `room` characters for the name of a baseline and its value."""
    span = 1.15 * max([0.02, *(high - low for low, high in (curve.ends for curve in curves))])
    return [_draw(curve, span, room) for curve in curves]


class Axes:
    """The places of reg and of the measure in a drawing: reg by decades, with 0 and inf set apart."""

    def __init__(self, regs: Iterable[float], bottom: float = 0.0, span: float = 1.0) -> None:
        self.regs, self.bottom, self.span = sorted(regs), bottom, span
        finite = [math.log10(reg) for reg in self.regs if 0 < reg < math.inf] or [0.0]
        places = {0.0: finite[0] - GAP, math.inf: finite[-1] + GAP}
        places |= {reg: math.log10(reg) for reg in self.regs if reg not in places}
        first, last = (places[end] for end in (self.regs[0], self.regs[-1])) if self.regs else (0.0, 0.0)
        decade = (RIGHT - LEFT - 24) / ((last - first) or 1)
        self.x = {reg: round(LEFT + 12 + (places[reg] - first) * decade, 1) for reg in self.regs}

    def y(self, value: float) -> float:
        """Return the height of a value of the measure."""
        return round(FOOT - (value - self.bottom) / self.span * (FOOT - TOP), 1)

    def named(self, most: float) -> list[float]:
        """Return the values of reg to name if there is room for `most` names: both ends, then what fits between."""
        room = (self.x[self.regs[-1]] - self.x[self.regs[0]]) / most if self.regs else 0.0
        named: list[float] = []
        for reg in dict.fromkeys([*self.regs[:1], *self.regs[-1:], *self.regs]):
            if all(abs(self.x[reg] - self.x[other]) >= room for other in named):
                named.append(reg)
        return named

    @property
    def breaks(self) -> list[tuple[float, float]]:
        """Neighbouring values of reg with a break of the axis between them."""
        return [(one, other) for one, other in pairwise(self.regs) if one == 0 or math.isinf(other)]

    @property
    def ticks(self) -> list[float]:
        """Round values of the measure from the bottom up."""
        step = next((step for step in STEPS if self.span / step <= TICKS), STEPS[-1])
        first, last = math.ceil(self.bottom / step), math.floor((self.bottom + self.span) / step)
        return [number * step for number in range(first, last + 1)]


def spread(places: Sequence[float], room: float) -> list[float]:
    """Move sorted places at least `room` apart, as little as possible: overlapping ones share out a block."""
    blocks: list[tuple[float, int]] = []  # middle, count
    for place in places:
        middle, count = place, 1
        while blocks and middle - blocks[-1][0] < room * (count + blocks[-1][1]) / 2:
            other, more = blocks.pop()
            middle, count = (middle * count + other * more) / (count + more), count + more
        blocks.append((middle, count))
    return [middle + room * (i - (count - 1) / 2) for middle, count in blocks for i in range(count)]


def _draw(curve: Curve, span: float, room: int) -> Drawing:
    axes = Axes({*curve.failed, *curve.trained}, max(curve.floor, (sum(curve.ends) - span) / 2), span)
    shapes = [*_frame(curve, axes), *_levels(curve, axes, room), *_line(curve, axes), *_points(curve, axes)]
    said = " ".join([curve.said, *(one.said for one in curve.scores)])
    return Drawing(RIGHT + 12 + width_of("0" * room, "name"), FOOT + BELOW, shapes, [curve.caption], said)


def _frame(curve: Curve, axes: Axes) -> Iterator[Shape]:
    if curve.corpus != FULL:
        yield Label("watermark", MIDDLE, (TOP + FOOT) / 2, curve.corpus)
    for tick in axes.ticks:
        y = axes.y(tick)
        yield Line("grid", ((LEFT, y), (RIGHT, y)))
        yield Label("left", LEFT - 6, y + 4, _figure(tick, 2))
    yield Line("axis", ((LEFT, FOOT), (RIGHT, FOOT)))
    for one, other in axes.breaks:
        middle = (axes.x[one] + axes.x[other]) / 2
        for x in (middle - 5, middle + 1):
            yield Line("axis", ((x, FOOT + 4), (x + 4, FOOT - 4)))
    for reg in axes.named(most=MEASURED if curve.places else NAMED):
        yield Label("tick", axes.x[reg], FOOT + 17, f"{reg:.3g}" if curve.places else format_reg(reg))
    yield Label("tick", MIDDLE, FOOT + 34, curve.across)
    yield Label("tick", 12, (TOP + FOOT) / 2, curve.axis, turned=True)
    for reg in curve.failed:
        x, y = axes.x[reg], FOOT - 8
        cross = ((x - 4, y - 4), (x + 4, y + 4), (x, y), (x + 4, y - 4), (x - 4, y + 4))
        yield Line("failed", cross, said="failed")


def _levels(curve: Curve, axes: Axes, room: int) -> Iterator[Shape]:
    places = [min(max(axes.y(one.mean), TOP), FOOT) for one in curve.levels]
    names = spread(places, LINE)
    over = max(0.0, names[-1] - FOOT) if names else 0.0
    for one, y, name in zip(curve.levels, places, names, strict=True):
        if y == axes.y(one.mean):
            yield Line("level", ((LEFT, y), (RIGHT, y), (RIGHT + 10, round(name - over, 1))))
        else:
            x, tip = RIGHT + 4, 5 if y == FOOT else -5
            yield Line("beyond", ((x, y - tip), (x, y + tip), (x - 3, y), (x, y + tip), (x + 3, y)))
        label, figure = _named(one), _figure(one.mean)
        cut = f"{label[: room - len(figure) - 2]}… {figure}" if len(label) > room else label
        yield Label("name", RIGHT + 12, round(name - over, 1) + 4, cut, "" if cut == label else label)


def _line(curve: Curve, axes: Axes) -> Iterator[Shape]:
    scored = curve.trained
    for ends in pairwise(axes.regs):
        if all(reg in scored for reg in ends):
            look = "dotted" if ends in axes.breaks else "curve"
            yield Line(look, [(axes.x[reg], axes.y(scored[reg].mean)) for reg in ends])


def _points(curve: Curve, axes: Axes) -> Iterator[Shape]:
    for reg, one in curve.trained.items():
        x = axes.x[reg]
        shapes: list[Shape] = [Dot("mean", x, axes.y(one.mean), 4.5)]
        if len(one.seeds) > 1:
            shapes = [*(Dot("seed", x, axes.y(value), 3) for value in one.seeds), *shapes]
        if one.ends:
            shapes = [Line("interval", [(x, axes.y(end)) for end in one.ends]), *shapes]
        yield Bundle(shapes, one.said)


def _named(baseline: Score) -> str:
    return f"{baseline.setting.label} {_figure(baseline.mean)}"


def _figure(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
