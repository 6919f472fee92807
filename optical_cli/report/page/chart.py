"""The curve of one pair as places in a drawing, for the page's template to draw."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from optical_cli.measures import parse_measure
from optical_cli.report.axis import Scale, spread
from optical_cli.report.findings import Interval
from optical_cli.report.result import Setting, format_reg
from optical_cli.report.study import Study
from optical_cli.report.table import FAILED, FULL, Column, Table, tabulate

WIDTH, HEIGHT = 470, 260
LEFT, RIGHT, TOP, FOOT = 44, 332, 14, 222
LINE = 15.0  # height of a line of text
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
    beyond: bool


@dataclass(frozen=True)
class Panel:
    """Everything that is drawn of one pair."""

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
    table = tabulate(study.results, [study.findings.measure], study.findings)
    drawn = [i for i in range(len(table.columns)) if _ends(table, i)]
    span = max((high - low for low, high in (_ends(table, i) for i in drawn)), default=0.0)
    span = max(span, 0.02) * 1.15
    return [_panel(study, table, i, span) for i in drawn]


def _ends(table: Table, i: int) -> tuple[float, ...]:
    """The lowest and the highest that has to be seen of a pair's curve; nothing without a curve."""
    cells = [row.cells[i] for row in table.rows if row.setting.reg is not None]
    ends = [cell.mean for cell in cells if cell.mean is not None]
    ends += [end for cell in cells if cell.interval for end in (cell.interval.low, cell.interval.high)]
    return (min(ends), max(ends)) if ends else ()


def _panel(study: Study, table: Table, i: int, span: float) -> Panel:
    column = table.columns[i]
    low, high = _ends(table, i)
    bottom = max(0.0, (low + high - span) / 2)

    def y(value: float) -> float:
        return round(FOOT - (value - bottom) / span * (FOOT - TOP), 1)

    means = {row.setting: row.cells[i].mean for row in table.rows}
    trained = {setting: mean for setting, mean in means.items() if setting.reg is not None and mean is not None}
    failed = [row.setting.reg for row in table.rows if row.cells[i].text == FAILED and row.setting.reg is not None]
    scale = Scale(tuple(sorted([*failed, *(setting.reg for setting in trained if setting.reg is not None)])))
    x = dict(zip(scale.regs, _across(scale), strict=True))
    intervals = {row.setting: row.cells[i].interval for row in table.rows}
    return Panel(
        pair=column.pair,
        mark="" if column.corpus == FULL else column.corpus,
        points=tuple(
            Point(
                x=x[setting.reg],
                y=y(mean),
                low=y(interval.low) if (interval := intervals[setting]) else None,
                high=y(interval.high) if interval else None,
                seeds=tuple(y(value) for value in _seeds(study, column, setting)),
                said=_said(setting, mean, interval),
            )
            for setting, mean in trained.items()
            if setting.reg is not None
        ),
        lines=tuple(_lines(scale, x, {s.reg: y(mean) for s, mean in trained.items() if s.reg is not None})),
        levels=_levels({s.label: mean for s, mean in means.items() if s.reg is None and mean is not None}, y),
        ticks_x=tuple((x[reg], format_reg(reg)) for reg in scale.ticks(most=10)),
        ticks_y=tuple((y(tick), f"{tick:.2f}") for tick in _ticks(bottom, span)),
        breaks=tuple((x[end] + x[neighbour]) / 2 for end, neighbour in scale.breaks),
        failed=tuple(x[reg] for reg in failed),
        said=f"{parse_measure(study.findings.measure).label} of {column.pair_head} against reg. "
        + " ".join(_said(setting, mean, intervals[setting]) for setting, mean in means.items() if mean is not None),
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
        Level(place, round(text, 1), f"{label} {mean:.3f}", place != y(mean))
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


def _said(setting: Setting, mean: float, interval: Interval | None) -> str:
    within = f", 95 % interval {interval.low:.3f} to {interval.high:.3f}" if interval else ""
    return f"{setting.label}: {mean:.3f}{within}."


def _ticks(bottom: float, span: float) -> list[float]:
    """Round values from the bottom up."""
    step = next((step for step in STEPS if span / step <= TICKS), STEPS[-1])
    return [number * step for number in range(math.ceil(bottom / step), math.floor((bottom + span) / step) + 1)]
