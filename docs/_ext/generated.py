"""Reference pages from the code: a line `<!-- generated: settings -->` becomes the Markdown of `settings_page`."""

import re
from collections.abc import Callable
from typing import Any

import architecture_page
import commands_page
import settings_page

from optical_cli.artifacts.result import HEALTH


def _health() -> str:
    rows = [f"| `{name}` | {words[:1].upper()}{words[1:]}. |" for name, words in HEALTH.items()]
    return "\n".join(["| field | value |", "|---|---|", *rows])


PAGES: dict[str, Callable[[], str]] = {
    "settings": settings_page.page,
    "commands": commands_page.page,
    "health": _health,
    "layers": architecture_page.layers,
}
PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Fill the places of every page before it is parsed."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}


def _fill(_app: Any, _name: str, source: list[str]) -> None:
    source[0] = architecture_page.tables(PLACE.sub(lambda found: PAGES[found[1]](), source[0]))
