"""Sentences about properties as they are: napoleon would take what stands before a colon for a type."""

from typing import Any

STAND_IN = "\ue000"  # a character that no docstring has


def setup(app: Any) -> dict[str, bool]:
    """Hide colons of a property's first line from napoleon, which comes at the default priority of 500."""
    app.connect("autodoc-process-docstring", _hide, priority=499)
    app.connect("autodoc-process-docstring", _show, priority=501)
    return {"parallel_read_safe": True}


def _hide(_app: Any, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    if what == "property" and lines:
        lines[0] = lines[0].replace(":", STAND_IN)


def _show(_app: Any, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = [line.replace(STAND_IN, ":") for line in lines]
