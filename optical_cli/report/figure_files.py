"""Drawings as SVG, PNG and PDF files. Matplotlib draws the last two, with fonts of the machine beside its own."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optical_cli.report.drawing import LOOKS, Bundle, Dot, Drawing, Label, Line, Shape, write_svg
from optical_cli.report.text import harmless

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontEntry
    from matplotlib.transforms import Transform

BASE = "DejaVu Sans"  # comes with matplotlib
UNKNOWN = "\ufffd"  # which the base font has
SCALE = 2  # pixels of a PNG to one of the drawing
POINTS = 72  # an inch
ALIGNMENTS = {"start": "left", "middle": "center", "end": "right"}


@dataclass(frozen=True)
class Glyphs:
    """The fonts for some texts.

    Attributes:
        families: The base font, then fonts for the characters that those before them lack.
        missing: Characters that no installed font has, or that cannot be drawn.
    """

    families: tuple[str, ...]
    missing: frozenset[str]

    def draw(self, text: str) -> bool:
        """Whether every character of a text can be drawn."""
        return not self.missing.intersection(text)


def find_glyphs(texts: Iterable[str]) -> Glyphs:
    """Find fonts for texts: the base font, and plain fonts of the machine if it lacks a character."""
    from matplotlib.font_manager import findfont, fontManager

    wanted = {char for text in texts for char in text}
    lacking = {char for char in wanted if char.isprintable()} - _characters(findfont(BASE), wanted)
    families = [BASE]
    plain = filter(_is_plain, fontManager.ttflist)
    for font in sorted(plain, key=lambda font: (not font.name.startswith("Noto Sans"), font.name)):
        if not lacking:
            break
        if found := _characters(font.fname, lacking):
            families.append(font.name)
            lacking -= found
    return Glyphs(tuple(families), frozenset(lacking | {char for char in wanted if not char.isprintable()}))


def _is_plain(font: "FontEntry") -> bool:
    """Whether a font is an upright text font; fonts of last resort have boxes, and emoji cannot be drawn."""
    special = re.search("last ?resort|emoji", font.name.lower())
    return font.style == "normal" and font.weight in (400, "normal") and not special


def _characters(path: str, wanted: Iterable[str]) -> set[str]:
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(path).get_charmap()
    except (OSError, RuntimeError):  # a file that FreeType cannot read is not usable
        return set()
    return {char for char in wanted if ord(char) in known}


def write_figure(drawing: Drawing, *paths: Path) -> None:
    """Write files of the kinds that their names end in: .svg, .png or .pdf; the same drawing gives the same bytes."""
    drawn = [path for path in paths if path.suffix.lower() in WRITERS]
    for path in paths:
        if path not in drawn:
            write_svg(drawing, path)
    if drawn:
        import matplotlib as mpl

        with mpl.rc_context():
            mpl.rcdefaults()  # whatever the user's matplotlibrc says
            mpl.rcParams["lines.scale_dashes"] = False  # by the width of the line
            mpl.rcParams["pdf.fonttype"] = 42  # TrueType: publishers refuse the default, Type 3
            figure = _figure(drawing)
            for path in drawn:
                WRITERS[path.suffix.lower()](figure, path)


def _figure(drawing: Drawing) -> "Figure":
    """Build the figure, in inches, so that it has one size at any resolution."""
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    figure = Figure((drawing.width / POINTS, drawing.height / POINTS), dpi=POINTS * SCALE)
    down = Affine2D().scale(1, -1).translate(0, drawing.height).scale(1 / POINTS) + figure.dpi_scale_trans
    placed = list(_flat(drawing.shapes))
    glyphs = find_glyphs(harmless(shape.text) for shape, _, _ in placed if isinstance(shape, Label))
    for shape, x, y in placed:
        artist = _artist(shape, glyphs, Affine2D().translate(x, y) + down)
        artist.set_zorder(0)  # in the order of the shapes: matplotlib would put every text on top
        figure.add_artist(artist)
    return figure


def _write_png(figure: "Figure", path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(path, metadata={"Software": None})


def _write_pdf(figure: "Figure", path: Path) -> None:
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    canvas: Any = FigureCanvasPdf(figure)
    canvas.print_pdf(path, metadata={"CreationDate": None, "Creator": None, "Producer": None})


WRITERS = {".png": _write_png, ".pdf": _write_pdf}
KINDS = (".svg", *WRITERS)
"""Ends of the names of files that can be written."""


def _flat(shapes: Sequence[Shape], x: float = 0.0, y: float = 0.0) -> Iterator[tuple[Line | Dot | Label, float, float]]:
    for shape in shapes:
        if isinstance(shape, Bundle):
            yield from _flat(shape.shapes, x + shape.x, y + shape.y)
        else:
            yield shape, x, y


def _artist(shape: Line | Dot | Label, glyphs: Glyphs, transform: "Transform") -> "Artist":
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline
    from matplotlib.text import Text

    look = LOOKS[shape.look]
    fill, opacity = look.get("fill", "none"), float(look.get("opacity", 1))
    if isinstance(shape, Label):
        text = "".join(UNKNOWN if char in glyphs.missing else char for char in harmless(shape.text))
        return Text(
            shape.x, shape.y, text, transform=transform, color=fill, alpha=opacity, parse_math=False,
            fontfamily=list(glyphs.families), fontsize=float(look["font-size"].removesuffix("px")),
            fontweight=int(look.get("font-weight", 400)), ha=ALIGNMENTS[look.get("text-anchor", "start")],
            rotation=90 if shape.turned else 0, rotation_mode="anchor",
        )  # fmt: skip
    if isinstance(shape, Line):
        outline, opacity = Outline(shape.points), opacity * shape.strength
    else:
        outline = Outline.circle((shape.x, shape.y), shape.radius)
    dashes = [float(length) for length in look.get("stroke-dasharray", "").split()]
    return PathPatch(
        outline, transform=transform, facecolor=fill, edgecolor=look.get("stroke", "none"),
        alpha=opacity, linewidth=float(look.get("stroke-width", 1)), linestyle=(0, dashes or None),
    )  # fmt: skip
