"""Loss and held-out P@1 over the steps of a training, as small curves, and where both began and ended."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from optical_cli.artifacts.result import Result, Setting
from optical_cli.report.drawing import Drawing, Line, Shape

WIDTH, HEIGHT = 110.0, 26.0
POINTS = 40  # of a curve, about
HELD_OUT = b'"held_out"'
P1, COST, COSINE = "p@1", "transport_cost", "token_cosine"

Curve = Sequence[tuple[int, float]]
"""Values by step."""


@dataclass(frozen=True)
class Log:
    """The curves in the log of a training.

    Attributes:
        p1: P@1 on the held-out bitext, 0 to 1.
    """

    loss: Curve
    p1: Curve


@dataclass(frozen=True)
class Training:
    """The trainings of one setting for the same pairs, one for each seed.

    Attributes:
        start: Mean figures on the held-out bitext before the training, by name: `p@1`, `transport_cost` and, unless an
            earlier version has made a student, `token_cosine`.
        end: The same figures after the training.
        logs: A log for each seed whose log the cache has.
    """

    setting: Setting
    pairs: tuple[str, ...]
    seeds: int
    start: Mapping[str, float]
    end: Mapping[str, float]
    logs: tuple[Log, ...]


def trainings(results: Sequence[Result]) -> tuple[Training, ...]:
    """Group trained results by their students, in the order of tables; pairs that share students share a group."""
    own: dict[tuple[str, Setting], list[Result]] = defaultdict(list)
    for result in results:
        if result.held_out or result.log:
            own[result.pair, result.setting].append(result)
    pairs: dict[tuple[Setting, str], list[str]] = defaultdict(list)
    for (pair, setting), students in own.items():
        pairs[setting, str([(one.seed, one.log, one.held_out) for one in students])].append(pair)
    order = {pair: place for place, pair in enumerate(dict.fromkeys(result.pair for result in results))}
    found = [(names, setting, own[names[0], setting]) for (setting, _), names in pairs.items()]
    found.sort(key=lambda one: (order[one[0][0]], one[1].rank))
    return tuple(
        Training(
            setting, tuple(names), len(students),
            _means([one.held_out_start for one in students]), _means([one.held_out for one in students]),
            tuple(read_log(one.log) for one in students if one.log),
        )
        for names, setting, students in found
    )  # fmt: skip


def _means(figures: Sequence[Mapping[str, float] | None]) -> dict[str, float]:
    """Average figures over seeds; none if a seed has none."""
    known = [one for one in figures if one]
    if len(known) < len(figures):
        return {}
    names = [name for name in known[0] if all(name in one for one in known)] if known else []
    return {name: fmean(one[name] for one in known) for name in names}


def read_log(path: Path) -> Log:
    """Read a training.jsonl: about `POINTS` of its losses, evenly spaced, and every look at the held-out bitext."""
    lines = path.read_bytes().splitlines()
    looks = [json.loads(line) for line in lines if HELD_OUT in line]
    steps = [line for line in lines if HELD_OUT not in line]
    thinned = [json.loads(line) for line in steps[:: max(1, len(steps) // POINTS)]]
    return Log(
        [(line["step"], line["loss"]) for line in thinned],
        [(look["step"], look["held_out"][P1]) for look in looks],
    )


def draw_small(curves: Sequence[Curve], top: float) -> Drawing:
    """Draw curves over steps from 0 to `top`, without axes: the figures stand beside the drawing."""
    last = max((step for curve in curves for step, _ in curve), default=1) or 1
    shapes: list[Shape] = [Line("axis", ((0, HEIGHT - 1), (WIDTH, HEIGHT - 1)))]
    for curve in curves:
        points = [
            (round(WIDTH * step / last, 1), round(HEIGHT - 1 - (HEIGHT - 3) * value / top, 1)) for step, value in curve
        ]
        shapes.append(Line("small", points))
    return Drawing(WIDTH, HEIGHT, shapes)
