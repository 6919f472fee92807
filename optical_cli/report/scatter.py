"""Two settings topic by topic: a point a topic, to the right what one of them scored, upwards what the other did."""

import math
import tempfile
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from optical_cli.config.measures import parse_measure
from optical_cli.errors import ConfigError, DataError
from optical_cli.report.curve import COLOURS, DPI, FONT, STYLE
from optical_cli.report.findings import Duel
from optical_cli.report.table import FULL
from optical_cli.report.text import harmless

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METADATA: dict[str, dict[str, None]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
"""What would differ between two pictures of the same scores, by the kind of the file."""
PANEL = 2.5  # inches, either way
MOST_COLUMNS = 3
SMALLEST = 9.0  # square points, the area of a single topic
LETTERS_AN_INCH = 14
MARGIN = 0.04  # of the measure, around 0 and 1
LOOKS = {"above": (COLOURS[0], "^"), "below": (COLOURS[1], "v"), "alike": ("#595959", "o")}


def check_picture(path: Path, option: str) -> None:
    """Refuse a file of which no picture can be made.

    Raises:
        ConfigError: its name has another ending.
    """
    if path.suffix.lower().lstrip(".") not in METADATA:
        endings = " or ".join(f".{kind}" for kind in METADATA)
        raise ConfigError(f"{option} {path}: a file that ends in {endings} expected")


def draw_scatter(duels: Sequence[Duel], measure: str, path: Path) -> None:
    """Draw a panel a duel; the same scores give the same bytes.

    Above the diagonal are the topics that the setting won, below it those that it lost. Topics at one place are one
    point, the larger the more they are: its area grows with their root, for a thousand topics have many at 0 and at 1.

    Args:
        duels: of two settings, one at least.
        measure: of their scores, which goes from 0 to 1.
        path: an .svg or .png file; one that is there is replaced when the picture is made.

    Raises:
        DataError: it cannot be written.
    """
    import matplotlib as mpl

    kind = path.suffix.lower().lstrip(".")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(), tempfile.TemporaryDirectory(dir=path.parent, prefix=".scatter-") as beside:
            mpl.rcdefaults()  # whatever the user's matplotlibrc says
            mpl.rcParams.update(STYLE)
            made = Path(beside) / "picture"
            _figure(duels, measure).savefig(made, format=kind, dpi=DPI, metadata=METADATA[kind])
            made.replace(path)
    except OSError as error:
        raise DataError(f"{path}: the picture cannot be written: {error.strerror or error}") from error


def _figure(duels: Sequence[Duel], measure: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(duels), MOST_COLUMNS)
    rows = math.ceil(len(duels) / columns)
    figure = Figure(figsize=(PANEL * columns + 0.4, PANEL * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    axes = [ax for row in grid for ax in row]
    for ax, duel in zip(axes, duels, strict=False):
        _draw(ax, duel)
    for spare in axes[len(duels) :]:
        spare.set_visible(False)
    label, one = parse_measure(measure).label, duels[0].comparison
    over = " (means over seeds)" if max(duel.comparison.seeds for duel in duels) > 1 else ""
    below = f"{label} of {one.reference.label}{over}; larger points are several topics"
    width, height = figure.get_size_inches()
    figure.supxlabel(_wrapped(below, width), fontsize=FONT)
    figure.supylabel(_wrapped(f"{label} of {one.setting.label}{over}", height), fontsize=FONT)
    return figure


def _wrapped(label: str, inches: float) -> str:
    """A label in lines that its side of the figure has room for; matplotlib would let it run over the edge."""
    return "\n".join(textwrap.wrap(harmless(label), int(LETTERS_AN_INCH * inches)))


def _draw(ax: "Axes", duel: Duel) -> None:
    one = duel.comparison
    places = Counter((topic.reference_score, topic.score) for topic in duel.topics)
    counts: Counter[str] = Counter()
    ax.plot([0, 1], [0, 1], color="#b0b0b0", linewidth=0.8, zorder=0)
    for side, (colour, marker) in LOOKS.items():
        own = {place: topics for place, topics in places.items() if _side(*place) == side}
        counts[side] = sum(own.values())
        ax.scatter(
            [x for x, _ in own], [y for _, y in own], s=[SMALLEST * math.sqrt(topics) for topics in own.values()],
            c=colour, marker=marker, alpha=0.6, linewidths=0, clip_on=False,
        )  # fmt: skip
    ax.set(xlim=(-MARGIN, 1 + MARGIN), ylim=(-MARGIN, 1 + MARGIN), aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)
    where = one.pair if one.corpus == FULL else f"{one.pair} ({one.corpus})"
    said = ", ".join(f"{counts[side]} {side}" for side in LOOKS)
    ax.set_title(harmless(f"{where}: {said}"), fontsize=FONT, loc="left")


def _side(reference_score: float, score: float) -> str:
    """Of the diagonal."""
    if score == reference_score:
        return "alike"
    return "above" if score > reference_score else "below"
