"""The reference of the command line, as Markdown, from its commands."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from typer import Context
from typer.main import get_command

from optical_cli.cli.commands import app

OTHERS = "Commands"
"""Heading of the commands that are in no panel of `optical --help`."""


@cache
def root() -> Any:
    """The whole command line, as Click has it."""
    return get_command(app)


def commands() -> Iterator[tuple[str, str, Any]]:
    """Walk the commands: the panel of `optical --help` that each is in, its full name, and the command."""
    for name, command in root().commands.items():
        yield from _with_its_own(_panel_of(command), f"optical {name}", command)


def page() -> str:
    """Markdown of every command, in the order and the groups of `optical --help`."""
    lines: list[str] = []
    panel = ""
    for heading, name, command in sorted_by_panel():
        if heading != panel:
            lines += [f"## {heading}", ""]
            panel = heading
        lines += _entry(name, command)
    return "\n".join(lines)


def sorted_by_panel() -> list[tuple[str, str, Any]]:
    """The commands by panel, panels in the order of their first command."""
    found = list(commands())
    panels = list(dict.fromkeys(panel for panel, _, _ in found))
    return sorted(found, key=lambda one: panels.index(one[0]))


def _with_its_own(panel: str, name: str, command: Any) -> Iterator[tuple[str, str, Any]]:
    yield panel, name, command
    for own, inner in getattr(command, "commands", {}).items():
        yield panel, f"{name} {own}", inner


def _panel_of(command: Any) -> str:
    panel = getattr(command, "rich_help_panel", None)
    return panel if isinstance(panel, str) else OTHERS


def _entry(name: str, command: Any) -> list[str]:
    context = Context(command, info_name=name)
    pieces = " ".join(command.collect_usage_pieces(context))
    usage = re.sub(r"[{}]", "", f"{name} {pieces}").replace("[[", "[").replace("]]", "]")
    lines = [f"({name.replace(' ', '-')})=", f"### `{name}`", "", *_help_of(command), ""]
    lines += ["```text", usage, "```", "", f":::{{program}} {name}", ":::", ""]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and "--help" not in parameter.opts:
            shown = record[0] if parameter.opts[0].startswith("-") else record[0].partition(" <")[0].strip("[]{}")
            lines += [f":::{{option}} {shown}", "", record[1], ":::", ""]
    return [*lines, *_example_of(command)]


def _example_of(command: Any) -> list[str]:
    """The example that ends the help, as code."""
    _, found, example = (getattr(command, "epilog", None) or "").partition("Example: ")
    return ["Example:", "", "```sh", example.strip(), "```", ""] if found else []


def _help_of(command: Any) -> list[str]:
    """The help text; a line that is indented deeper, such as an example, as code."""
    paragraphs = (command.help or "").replace("\b\n", "").split("\n\n")
    lines: list[str] = []
    for text in paragraphs:
        code = text.startswith(("    ", "$ ", "optical "))
        lines += ["```sh", text.strip(), "```", ""] if code else [text.strip(), ""]
    return lines
