"""Curves over reg as places in a drawing, for the page's template to draw."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from optical_cli.artifacts.result import Setting, format_reg
from optical_cli.config.measures import parse_measure
from optical_cli.report.axis import Scale, spread
from optical_cli.report.findings import Interval
from optical_cli.report.study import Study
from optical_cli.report.table import FAILED, FULL, Column, tabulate

WIDTH, HEIGHT = 470, 260
LEFT, RIGHT, TOP, FOOT = 44, 318, 14, 222
LINE = 15.0  # height of a line of text
NAME = 21  # characters that have room beside the drawing, the figure with them
NAMED = 9  # values of reg that have room below it
TICKS = 5
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Point:
    """A reg: its mean, the ends of the interval, its seeds."""

    x: float
    y: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]
    said: str


@dataclass(frozen=True)
class Level:
    """A baseline: a line across, or an arrow where it lies beyond the drawing."""

    y: float
    text_y: float
    text: str
    said: str
    beyond: bool


@dataclass(frozen=True)
class Drawn:
    """A setting of a curve: what is known of it."""

    setting: Setting
    mean: float | None
    interval: Interval | None
    seeds: tuple[float, ...] = ()
    failed: bool = False


@dataclass(frozen=True)
class Curve:
    """What is to be drawn.

    Attributes:
        name: stands above.
        mark: the corpus mode, unless it is the full corpus.
        said: the name for those who do not see it.
        settings: baselines among them.
        floor: the lowest that there can be.
    """

    name: str
    mark: str
    said: str
    settings: tuple[Drawn, ...]
    floor: float = 0.0

    @property
    def trained(self) -> list[tuple[float, Drawn]]:
        """By reg, those that have one."""
        return [(one.setting.reg, one) for one in self.settings if one.setting.reg is not None]

    @property
    def ends(self) -> tuple[float, float] | None:
        """The lowest and the highest that has to be seen; None without a reg that was scored."""
        known = [one for _, one in self.trained if one.mean is not None]
        ends = [one.mean for one in known if one.mean is not None]
        ends += [end for one in known if one.interval for end in (one.interval.low, one.interval.high)]
        return (min(ends), max(ends)) if ends else None


@dataclass(frozen=True)
class Panel:
    """Everything that is drawn of one curve."""

    pair: str
    mark: str  # the corpus mode, unless it is the full corpus
    points: tuple[Point, ...]
    lines: tuple[tuple[str, bool], ...]  # both ends of a line, and whether it crosses a break
    levels: tuple[Level, ...]
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    breaks: tuple[float, ...]
    failed: tuple[float, ...]
    said: str


def panels(study: Study) -> list[Panel]:
    """One for each pair with a curve; all span the same difference of the measure, so that slopes compare."""
    measure = study.findings.measure
    table = tabulate(study.results, [measure], study.findings)
    label = parse_measure(measure).label
    return _panels(
        [
            Curve(
                name=column.pair,
                mark="" if column.corpus == FULL else column.corpus,
                said=f"{label} of {column.pair_head} against reg.",
                settings=tuple(
                    Drawn(
                        row.setting,
                        row.cells[i].mean,
                        row.cells[i].interval,
                        tuple(_seeds(study, column, row.setting)),
                        row.cells[i].text == FAILED,
                    )
                    for row in table.rows
                ),
            )
            for i, column in enumerate(table.columns)
        ]
    )


def gap_panels(study: Study) -> list[Panel]:
    """The gap between low-resource and other pairs, one for each corpus mode that has both."""
    label = parse_measure(study.findings.measure).label
    return _panels(
        [
            Curve(
                name="Gap",
                mark="" if gaps.corpus == FULL else gaps.corpus,
                said=f"{label} of {', '.join(gaps.high)} less that of {', '.join(gaps.low)}, against reg.",
                settings=tuple(Drawn(gap.setting, gap.value, gap.interval) for gap in gaps.by_setting),
                floor=-math.inf,
            )
            for gaps in study.findings.gaps
        ]
    )


def _panels(curves: Sequence[Curve]) -> list[Panel]:
    """Curves with something to draw, on one span."""
    ends = [(curve, found) for curve in curves if (found := curve.ends)]
    span = max([high - low for _, (low, high) in ends], default=0.0)
    return [_panel(curve, low, high, max(span, 0.02) * 1.15) for curve, (low, high) in ends]


def _panel(curve: Curve, low: float, high: float, span: float) -> Panel:
    bottom = max(curve.floor, (low + high - span) / 2)

    def y(value: float) -> float:
        return round(FOOT - (value - bottom) / span * (FOOT - TOP), 1)

    scored = {reg: one for reg, one in curve.trained if one.mean is not None}
    failed = [reg for reg, one in curve.trained if one.failed]
    scale = Scale(tuple(sorted([*failed, *scored])))
    x = dict(zip(scale.regs, _across(scale), strict=True))
    heights = {reg: y(one.mean) for reg, one in scored.items() if one.mean is not None}
    baselines = [one for one in curve.settings if one.setting.reg is None]
    return Panel(
        pair=curve.name,
        mark=curve.mark,
        points=tuple(
            Point(
                x=x[reg],
                y=heights[reg],
                low=y(one.interval.low) if one.interval else None,
                high=y(one.interval.high) if one.interval else None,
                seeds=tuple(y(value) for value in one.seeds),
                said=_said(one),
            )
            for reg, one in scored.items()
        ),
        lines=tuple(_lines(scale, x, heights)),
        levels=_levels({one.setting.label: one.mean for one in baselines if one.mean is not None}, y),
        ticks_x=tuple((x[reg], format_reg(reg)) for reg in scale.ticks(most=NAMED)),
        ticks_y=tuple((y(tick), _figure(tick, 2)) for tick in _ticks(bottom, span)),
        breaks=tuple((x[end] + x[neighbour]) / 2 for end, neighbour in scale.breaks),
        failed=tuple(x[reg] for reg in failed),
        said=" ".join([curve.said, *(_said(one) for one in curve.settings if one.mean is not None)]),
    )


def _across(scale: Scale) -> list[float]:
    """The places of the values of reg, from edge to edge."""
    first, last = scale(scale.regs[0]), scale(scale.regs[-1])
    width = RIGHT - LEFT - 24
    return [round(LEFT + 12 + (scale(reg) - first) / ((last - first) or 1) * width, 1) for reg in scale.regs]


def _lines(scale: Scale, x: Mapping[float, float], y: Mapping[float, float]) -> Iterator[tuple[str, bool]]:
    """From each reg to the next, with a gap where one failed."""
    breaks = [tuple(sorted(ends)) for ends in scale.breaks]
    for one, other in pairwise(scale.regs):
        if one in y and other in y:
            yield f"{x[one]},{y[one]} {x[other]},{y[other]}", (one, other) in breaks


def _levels(baselines: Mapping[str, float], y: Callable[[float], float]) -> tuple[Level, ...]:
    """The baselines from the top down, their names apart."""
    ordered = sorted(baselines.items(), key=lambda named: -named[1])
    places = [min(max(y(mean), TOP), FOOT) for _, mean in ordered]
    texts = _inside(spread(places, LINE))
    return tuple(
        Level(place, round(text, 1), _named(label, mean, NAME), _named(label, mean), place != y(mean))
        for (label, mean), place, text in zip(ordered, places, texts, strict=True)
    )


def _inside(places: Sequence[float]) -> list[float]:
    """Places moved together so that the last is not below the foot."""
    over = max(0.0, places[-1] - FOOT) if places else 0.0
    return [place - over for place in places]


def _seeds(study: Study, column: Column, setting: Setting) -> list[float]:
    """The values of the single seeds, where there are several."""
    values = [
        value
        for result in study.results
        if (result.pair, result.corpus, result.setting) == (column.pair, column.corpus, setting)
        and (value := result.value(column.measure)) is not None
    ]
    return values if len(values) > 1 else []


def _said(one: Drawn) -> str:
    ends = [_figure(end) for end in (one.interval.low, one.interval.high)] if one.interval else []
    within = f", 95 % interval {' to '.join(ends)}" if ends else ""
    return f"{one.setting.label}: {'' if one.mean is None else _figure(one.mean)}{within}."


def _named(label: str, mean: float, room: int | None = None) -> str:
    """A baseline and its mean; a name for which there is no room is cut."""
    figure = _figure(mean)
    if room is not None and len(label) + 1 + len(figure) > room:
        label = f"{label[: room - len(figure) - 2]}…"
    return f"{label} {figure}"


def _figure(value: float, digits: int = 3) -> str:
    """With a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def _ticks(bottom: float, span: float) -> list[float]:
    """Round values from the bottom up."""
    step = next((step for step in STEPS if span / step <= TICKS), STEPS[-1])
    return [number * step for number in range(math.ceil(bottom / step), math.floor((bottom + span) / step) + 1)]
