"""Pictures as plain shapes, from which come the SVG of the page and the SVG, PNG and PDF files.

Coordinates are CSS pixels from the upper left corner. The look of a shape is a class of `drawing.css`. The page has
other colours for these classes on dark screens and on paper.
"""

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from optical_cli.report.text import harmless

STYLE = (Path(__file__).parent / "templates" / "drawing.css").read_text(encoding="utf-8")
COLOURS = dict(re.findall(r"--(\w+): (#\w+);", STYLE))
LIGHT_STYLE = re.sub(
    r"var\(--(\w+)\)", lambda found: COLOURS[found[1]], STYLE
)  # for programs that read SVG without variables
LOOKS = {name: dict(re.findall(r"(\S+): (.*?);", look)) for name, look in re.findall(r"svg \.(\w+) (.*)", LIGHT_STYLE)}
MARGIN = 14.0  # around a picture, and between its drawings
LINE = 18.0  # height of a line of text
NARROWEST = 360.0  # width of a picture, so that its text has room
LETTER, BOLD_LETTER = 0.6, 0.68  # width of a letter of DejaVu Sans, in units of its size; most fonts are narrower


@dataclass(frozen=True)
class Line:
    """Straight lines from point to point, or the area that they enclose.

    Attributes:
        said: Tooltip, of any shape.
        strength: Opacity of the area, 0 to 1.
    """

    look: str
    points: Sequence[tuple[float, float]]
    said: str = ""
    strength: float = 1.0


@dataclass(frozen=True)
class Dot:
    """A circle."""

    look: str
    x: float
    y: float
    radius: float
    said: str = ""


@dataclass(frozen=True)
class Label:
    """A line of text, which reads upwards if `turned`."""

    look: str
    x: float
    y: float
    text: str
    said: str = ""
    turned: bool = False


@dataclass(frozen=True)
class Bundle:
    """Shapes that share an offset and a tooltip."""

    shapes: Sequence["Shape"]
    said: str = ""
    x: float = 0.0
    y: float = 0.0


Shape = Line | Dot | Label | Bundle


@dataclass(frozen=True)
class Drawing:
    """A picture.

    Attributes:
        caption: Lines above the picture.
        said: Text for a screen reader; without it the drawing is hidden from screen readers.
    """

    width: float
    height: float
    shapes: Sequence[Shape]
    caption: Sequence[str] = ()
    said: str = ""


def box(look: str, x: float, y: float, width: float, height: float, said: str = "", strength: float = 1.0) -> Line:
    """Return a rectangle."""
    right, foot = x + width, y + height
    return Line(look, ((x, y), (right, y), (right, foot), (x, foot), (x, y)), said, strength)


def width_of(text: str, look: str) -> float:
    """Estimate the width of a text: East Asian letters count twice, combining marks not at all."""
    letters = (2 if unicodedata.east_asian_width(char) in "WF" else not unicodedata.combining(char) for char in text)
    letter = BOLD_LETTER if "font-weight" in LOOKS[look] else LETTER
    return sum(letters) * letter * float(LOOKS[look]["font-size"].removesuffix("px"))


def sheet(
    rows: Sequence[Sequence[Drawing]], title: str, text: Sequence[str] = (), notes: Sequence[str] = ()
) -> Drawing:
    """Arrange drawings in rows, each below its caption, between a title with some text and notes."""
    wide = max([NARROWEST, *(sum(map(slot, row)) - MARGIN for row in rows)])
    shapes: list[Shape] = []
    foot = MARGIN

    def write(look: str, paragraphs: Sequence[str]) -> None:
        nonlocal foot
        for paragraph in paragraphs:
            room = int(len(paragraph) * wide / (width_of(paragraph, look) or 1))
            for line in textwrap.wrap(paragraph, max(room, 1)):
                foot += LINE
                shapes.append(Label(look, MARGIN, foot - 5, line))

    write("title", [title])
    write("text", text)
    for row in rows:
        x, foot = MARGIN, foot + MARGIN + LINE * max(len(one.caption) for one in row)
        for one in row:
            shapes.append(Bundle([*_caption(one), *one.shapes], x=x, y=foot))
            x += slot(one)
        foot += max(one.height for one in row)
    foot += MARGIN / 2
    write("remark", notes)
    said = " ".join([title, *(one.said for row in rows for one in row if one.said)])
    return Drawing(wide + 2 * MARGIN, foot + MARGIN, shapes, said=said)


def _caption(drawing: Drawing) -> list[Label]:
    top = 13 - LINE * len(drawing.caption)
    return [Label("remark" if i else "caption", 0, top + LINE * i, line) for i, line in enumerate(drawing.caption)]


def slot(drawing: Drawing) -> float:
    """Return the width of a drawing with its caption and the gap to its neighbour."""
    return max([drawing.width, *(width_of(line.text, line.look) for line in _caption(drawing))]) + MARGIN


def svg(drawing: Drawing, name: str, attributes: str = "", before: str = "") -> Markup:
    """Return an SVG element for a page that has the classes of `drawing.css`; `name` is the id of its title."""
    width, height = f"{drawing.width:g}", f"{drawing.height:g}"
    role = f'role="img" aria-labelledby="{name}"' if drawing.said else 'aria-hidden="true"'
    title = f'<title id="{name}">{escape(drawing.said)}</title>\n' if drawing.said else ""
    shapes = "\n".join(map(_element, drawing.shapes))
    return Markup(  # noqa: S704 - texts are escaped
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" {role}{attributes}>\n'
        f"{title}{before}{shapes}\n</svg>"
    )


def write_svg(drawing: Drawing, path: Path) -> None:
    """Write a self-contained SVG file."""
    paper = _element(box("paper", 0, 0, drawing.width, drawing.height))
    before = f"<style>\n{LIGHT_STYLE}</style>\n{paper}\n"
    text = svg(drawing, "said", ' xmlns="http://www.w3.org/2000/svg"', before)
    path.write_text(harmless(f"{text}\n"), encoding="utf-8")


def _element(shape: Shape) -> str:
    content = f"<title>{escape(shape.said)}</title>" if shape.said else ""
    match shape:
        case Line(look, points, _, strength):
            path = " ".join(f"{x:g},{y:g}" for x, y in points)
            opening = f'path class="{look}" d="M{path}"' + (f' fill-opacity="{strength:g}"' if strength < 1 else "")
        case Dot(look, x, y, radius):
            opening = f'circle class="{look}" cx="{x:g}" cy="{y:g}" r="{radius:g}"'
        case Label(look, x, y, text, _, turned):
            place = f'transform="translate({x:g} {y:g}) rotate(-90)"' if turned else f'x="{x:g}" y="{y:g}"'
            opening, content = f'text class="{look}" {place}', f"{escape(text)}{content}"
        case Bundle(shapes, _, x, y):
            opening = f'g transform="translate({x:g} {y:g})"' if x or y else "g"
            content += "".join(map(_element, shapes))
    return f"<{opening}>{content}</{opening.split()[0]}>" if content else f"<{opening}/>"
