"""The text of reports: formats of figures, escapes of data, templates."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SMALLEST_P = 1e-4
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, which a terminal obeys and SVG forbids, and bidirectional overrides, which reorder text."""
MARKDOWN_MARKUP = re.compile(r"([\\`*_\[\]<>|#~&])")
LATEX_COMMANDS = {  # of LaTeX itself: amssymb has nicer triangles, but does not go with acmart
    **{sign: f"\\{sign}" for sign in "{}$&#_%"}, "\\": r"\textbackslash{}", "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "▲": r"$\uparrow$", "▼": r"$\downarrow$", "≡": r"$\equiv$", "†": r"\dag{}", "‡": r"\ddag{}", "≈": r"$\approx$",
    "–": "--", "−": "$-$",
}  # fmt: skip
LATEX_SYNTAX = {
    "block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<", "variable_end_string": ">>",
    "comment_start_string": "<#", "comment_end_string": "#>",
}  # fmt: skip


def signed(value: float) -> str:
    """`+0.023`, `−0.004`, with a true minus sign; `0.000` without a sign."""
    text = f"{abs(value):.3f}"
    return text if text == "0.000" else f"{'−' if value < 0 else '+'}{text}"


def p_value(p: float) -> str:
    """`0.034`, `< 0.0001`."""
    return f"< {SMALLEST_P:.4f}" if p < SMALLEST_P else f"{p:.2g}" if p < 0.001 else f"{p:.3f}"


def effect(d_z: float) -> str:
    """`0.41`, `−0.12`, `inf` where every topic has the same difference."""
    return f"{'−' if d_z < 0 else ''}{'inf' if math.isinf(d_z) else f'{abs(d_z):.2f}'}"


def percent(share: float) -> str:
    """`63 %`."""
    return f"{100 * share:.0f} %"


def listed(names: Sequence[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`, or with another `joint`."""
    return f" {joint} ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def harmless(text: str) -> str:
    """Spell out control characters and bidirectional overrides."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def escape_markdown(text: str) -> str:
    """Escape a text from data for Markdown, on one line, also in the cell of a table."""
    return MARKDOWN_MARKUP.sub(r"\\\1", one_line(text))


def escape_latex(text: str) -> str:
    """Escape a text from data for LaTeX, on one line; marks become symbols."""
    return "".join(LATEX_COMMANDS.get(character, character) for character in one_line(text))


def one_line(text: str) -> str:
    """Return the text without line breaks or repeated spaces."""
    return " ".join(text.split())


def render(template: str, escape: Callable[[str], str], /, **context: Any) -> str:
    """Fill a template of the folder `templates`; `escape` is applied to every value."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    syntax: dict[str, Any] = LATEX_SYNTAX if template.endswith(".tex.jinja") else {}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # leaves alone what `finalize` or a macro has escaped
        finalize=lambda value: value if isinstance(value, Markup) else Markup(escape(str(value))),  # noqa: S704
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, **syntax,
    )  # fmt: skip
    environment.filters[signed.__name__] = signed
    return environment.get_template(template).render(context)
