"""Two settings topic by topic: a point for each topic, one score to the right, the other upwards."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from optical_cli.config.measures import parse_measure
from optical_cli.errors import ConfigError, DataError
from optical_cli.report.drawing import Dot, Drawing, Label, Line, Shape, sheet
from optical_cli.report.figure_files import KINDS, write_figure
from optical_cli.report.findings import Duel
from optical_cli.report.table import FULL

SIDE = 240.0  # of the square from 0 to 1
LEFT, TOP, FOOT = 34.0, 12.0, 26.0  # around it
MOST_COLUMNS = 3
SMALLEST = 2.0  # radius of a single topic
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SIDES = {"above": "above", "below": "below", "alike": "equal"}  # looks, and their words


def check_picture(path: Path, option: str) -> None:
    """Raise a ConfigError for a file name without the end of a known kind of picture."""
    if path.suffix.lower() not in KINDS:
        raise ConfigError(f"{option} {path}: a file that ends in {', '.join(KINDS[:-1])} or {KINDS[-1]} expected")


def draw_scatter(duels: Sequence[Duel], measure: str, path: Path) -> None:
    """Draw a panel for each duel of two settings into an .svg, .png or .pdf file; the same scores give the same bytes.

    Topics that the setting won are above the diagonal, topics that it lost below. Topics with equal scores share a
    point, whose area grows with the root of their number: of a thousand topics many are at 0 or 1.

    Raises:
        DataError: the file cannot be written.
    """
    panels = [_panel(duel) for duel in duels]
    rows = [panels[i : i + MOST_COLUMNS] for i in range(0, len(panels), MOST_COLUMNS)]
    label, one = parse_measure(measure).label, duels[0].comparison
    over = " (means over seeds)" if max(duel.comparison.seeds for duel in duels) > 1 else ""
    title = f"↑ {label} of {one.setting.label}{over}"
    drawing = sheet(rows, title, notes=[f"→ {label} of {one.reference.label}{over}; larger points are several topics"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".scatter-") as beside:
            made = Path(beside) / f"picture{path.suffix}"
            write_figure(drawing, made)
            made.replace(path)
    except OSError as error:
        raise DataError(f"{path}: the picture cannot be written: {error.strerror or error}") from error


def _panel(duel: Duel) -> Drawing:
    one = duel.comparison
    places = Counter((topic.reference_score, topic.score) for topic in duel.topics)
    counts = Counter(_side(topic.reference_score, topic.score) for topic in duel.topics)
    where = one.pair if one.corpus == FULL else f"{one.pair} ({one.corpus})"
    caption = f"{where}: {', '.join(f'{counts[side]} {word}' for side, word in SIDES.items())}"
    shapes = [*_axes(), *(_point(*place, topics) for place, topics in places.items())]
    return Drawing(LEFT + SIDE + TOP, TOP + SIDE + FOOT, shapes, [caption], f"{caption}.")


def _axes() -> Iterator[Shape]:
    for tick in TICKS:
        x, y = _place(tick, tick)
        yield Label("tick", x, TOP + SIDE + 22, f"{tick:.1f}")
        yield Label("left", LEFT - 10, y + 4, f"{tick:.1f}")
    left, foot = LEFT - 6, TOP + SIDE + 6
    yield Line("axis", ((left, TOP - 6), (left, foot), (left + SIDE + 12, foot)))
    yield Line("grid", (_place(0, 0), _place(1, 1)))


def _point(reference_score: float, score: float, topics: int) -> Shape:
    (x, y), side = _place(reference_score, score), _side(reference_score, score)
    size = SMALLEST * topics**0.25
    if score == reference_score:
        return Dot(side, x, y, size)
    tip = -size if side == "above" else size
    return Line(side, ((x - size, y - tip), (x + size, y - tip), (x, y + tip), (x - size, y - tip)))


def _place(reference_score: float, score: float) -> tuple[float, float]:
    return round(LEFT + SIDE * reference_score, 1), round(TOP + SIDE * (1 - score), 1)


def _side(reference_score: float, score: float) -> str:
    return "alike" if score == reference_score else "above" if score > reference_score else "below"
