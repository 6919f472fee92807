"""How shared options come to a command."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from optical_cli.cli.commands import app
from optical_cli.cli.options import takes


@dataclass(frozen=True)
class Group:
    first: Annotated[int, typer.Option(help="One.")] = 1
    second: Annotated[int, typer.Option(help="Two.")] = 2
    third: Annotated[int, typer.Option(help="Three.")] = 3


def options_of(command):
    made = typer.Typer(rich_markup_mode=None)
    made.command()(command)
    return re.findall(
        r"^ +--([a-z-]+)", CliRunner().invoke(made, ["--help"]).output.partition("Options:")[2], re.MULTILINE
    )


def run(command, *words):
    made = typer.Typer(pretty_exceptions_enable=False)
    made.command()(command)
    result = CliRunner().invoke(made, words)
    assert result.exit_code == 0, result.output


def test_a_group_stands_for_its_fields_or_for_those_that_are_named_last():
    @takes()
    def whole(before: int = 0, group: Group = Group(), after: int = 0) -> None:
        pass

    @takes("third", "after", "first")
    def part(before: int = 0, group: Group = Group(), after: int = 0) -> None:
        pass

    helped = ["debug", "install-completion", "show-completion", "help"]
    assert options_of(whole) == ["before", "first", "second", "third", "after", *helped]
    assert options_of(part) == ["before", "third", "after", "first", *helped]


def test_the_function_is_given_the_group_with_what_was_said_and_with_defaults():
    found = []

    @takes("first", "own")
    def command(group: Group, own: str = "") -> None:
        found.append((group, own))

    run(command, "--first", "7", "--own", "x", "--debug")
    assert found == [(Group(7, 2, 3), "x")]


def test_an_option_that_nobody_has_is_refused_when_the_command_is_made():
    with pytest.raises(KeyError, match="forth"):
        takes("forth")(print)


GROUP = typer.main.get_command(app)
ROOT = Path(__file__).parents[2]


def commands_of(group, words=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, (*words, name))
        else:
            yield pytest.param(command, id=" ".join((*words, name)))


def help_of(*words):
    result = CliRunner().invoke(app, [*words, "-h"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", list(commands_of(GROUP)))
def test_every_command_can_be_debugged_and_explains_every_option(command):
    assert [option.opts for option in command.params].count(["--debug"]) == 1
    assert all(option.help for option in command.params)


def test_the_help_lists_every_command_under_a_heading_in_the_order_of_use():
    panels, panel = {}, ""
    for line in help_of().splitlines():
        if heading := re.fullmatch(r"(\w+):", line):
            panel = heading[1]
        elif row := re.match(r"  ([a-z-]+)  ", line):
            panels.setdefault(panel, []).append(row[1])
    del panels["Options"]
    assert panels == {
        "Pipeline": ["distill", "index", "retrieve", "evaluate"],
        "Study": ["plan", "sweep", "status", "report", "compare", "align"],
        "Share": ["export", "teach", "fuse"],
        "Reproduce": ["lock", "verify", "why", "fetch"],
        "Care": ["cache", "doctor", "warm-up"],
    }


@pytest.mark.parametrize("words", [(), ("cache",), ("why",)], ids=" ".join)
def test_every_summary_is_a_sentence_on_one_line_of_80_columns(words):
    lines = help_of(*words).partition("Options:")[2].splitlines()[1:-1]
    rows = [line for line in lines if re.match(r"  [a-z]", line)]
    assert rows
    for row in rows:
        assert row.endswith("."), row
        assert not row.endswith("..."), row
        assert len(row) < 80


@pytest.mark.parametrize(
    "words", [[], ["cache"], ["why"], *(param.id.split() for param in commands_of(GROUP))], ids=" ".join
)
def test_every_help_ends_with_an_example_that_can_be_parsed(words):
    *_, last = help_of(*words).splitlines()
    found = re.fullmatch(r"  Example: optical (.+)", last)
    assert found, last
    group, arguments, name = GROUP, shlex.split(found[1]), "optical"
    assert arguments[: len(words)] == words
    assert all((ROOT / word).exists() for word in arguments if word.startswith("experiments/"))
    with typer.Context(GROUP) as context:
        while hasattr(group, "commands"):
            name, group, arguments = group.resolve_command(context, arguments)
        group.make_context(name, arguments, parent=context)
