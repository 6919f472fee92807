"""Which installed fonts have the characters of a text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry

BASE = "DejaVu Sans"  # comes with matplotlib


@dataclass(frozen=True)
class Glyphs:
    """The fonts that together draw what can be drawn.

    Attributes:
        families: the base font first, each later one for what those before it lack.
        missing: characters that no installed font has, or that are not for drawing.
    """

    families: tuple[str, ...]
    missing: frozenset[str]

    def draw(self, text: str) -> bool:
        """Whether every character of a text can be drawn."""
        return not self.missing.intersection(text)


def find_glyphs(texts: Iterable[str]) -> Glyphs:
    """Find fonts for texts: the base font alone if that will do, else plain ones of the machine besides."""
    from matplotlib.font_manager import findfont, fontManager

    wanted = {char for text in texts for char in text}
    lacking = {char for char in wanted if char.isprintable()} - _characters(findfont(BASE), wanted)
    families = [BASE]

    def preferred(font: "FontEntry") -> tuple[bool, str]:
        return not font.name.startswith("Noto Sans"), font.name

    for font in sorted(filter(_is_plain, fontManager.ttflist), key=preferred):
        if not lacking:
            break
        if found := _characters(font.fname, lacking):
            families.append(font.name)
            lacking -= found
    return Glyphs(tuple(families), frozenset(lacking | {char for char in wanted if not char.isprintable()}))


def _is_plain(font: "FontEntry") -> bool:
    """An upright text font; one of last resort has a box for every character, and one of emoji cannot be drawn."""
    return font.style == "normal" and font.weight in (400, "normal") and not _odd(font.name)


def _odd(name: str) -> bool:
    return "last resort" in name.lower() or "lastresort" in name.lower() or "emoji" in name.lower()


def _characters(path: str, wanted: Iterable[str]) -> set[str]:
    """Those of some characters that a font file has."""
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(path).get_charmap()
    except (OSError, RuntimeError):  # a file that FreeType cannot read is no font for us
        return set()
    return {char for char in wanted if ord(char) in known}
