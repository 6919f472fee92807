"""The commands of `optical`, in the order and under the headings of its help, each with an example."""

from typing import Annotated, Any

from typer import Exit, Option, Typer
from typer.core import TyperCommand, TyperGroup

from optical_cli.cli.align_command import align
from optical_cli.cli.cache_commands import cache_app
from optical_cli.cli.compare_command import compare
from optical_cli.cli.model_commands import export, teach
from optical_cli.cli.options import example
from optical_cli.cli.plan_commands import plan, status
from optical_cli.cli.prepare_commands import doctor, fetch, warm_up
from optical_cli.cli.report_command import report
from optical_cli.cli.reproduce_commands import lock, verify, why_app
from optical_cli.cli.stage_commands import distill, evaluate, fuse, index, retrieve
from optical_cli.cli.sweep_command import sweep
from optical_cli.config.numbers import is_decimal
from optical_cli.errors import ConfigError

PANELS: dict[str, dict[Any, str]] = {
    "Pipeline": {
        distill: "distill tiny --reg 0.1",
        index: "index tiny --pair sw-sw --reg 0.1",
        retrieve: "retrieve tiny --pair sw-sw --reg 0.1",
        evaluate: "evaluate tiny --pair sw-sw --reg 0.1",
    },
    "Study": {
        plan: "plan tiny",
        sweep: "sweep tiny",
        status: "status tiny",
        report: "report tiny",
        compare: "compare tiny 0.1 inf",
        align: "align tiny --reg 0 --reg 0.1",
    },
    "Share": {
        export: "export tiny --reg 0.1 --output student",
        teach: "teach queries.jsonl --backbone bert-base-uncased -o teacher",
        fuse: "fuse bm25.trec student.trec --output fused.trec",
    },
    "Reproduce": {
        lock: "lock experiments/clirmatrix.yaml",
        verify: "verify tiny",
        why_app: "why evaluate tiny --pair sw-sw --reg 0.1",
        fetch: "fetch experiments/clirmatrix.yaml",
    },
    "Care": {
        cache_app: "cache list",
        doctor: "doctor tiny",
        warm_up: "warm-up",
    },
}
"""The commands under each heading of `optical --help`, and the example that ends the help of each."""


class NumbersAsWritten(TyperCommand):
    """A command that takes numbers as they are written: Python would read `--reg 1_0` as 10."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; ConfigError for an option whose number is not decimal."""
        written = self.make_parser(ctx).parse_args(list(args))[0]
        rest: list[str] = super().parse_args(ctx, args)
        for option in self.params:
            texts, values = (
                found if isinstance(found, list) else [found]
                for found in (written.get(option.name or ""), ctx.params.get(option.name or ""))
            )
            for text, value in zip(texts, values):  # noqa: B905 - other lengths than those of the values are defaults
                if isinstance(value, int | float) and isinstance(text, str) and not is_decimal(text):
                    raise ConfigError(f"{option.opts[0]} {text}: a decimal number expected")
        return rest


class PanelGroup(TyperGroup):
    """A group whose help lists its commands by panel, as plain text; the panels of Typer itself load rich."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature of the base class
        """Write a section for each panel."""
        widest = max(map(len, self.commands))
        for panel, commands in PANELS.items():
            names = [words.split()[0] for words in commands.values()]
            summaries = [self.commands[name].get_short_help_str(formatter.width - widest - 6) for name in names]
            with formatter.section(panel):
                formatter.write_dl(
                    [(name.ljust(widest), summary) for name, summary in zip(names, summaries, strict=True)]
                )


app = Typer(
    name="optical",
    cls=PanelGroup,
    help="Move an English retriever into another language by optimal transport, and measure what the strength of the "
    "transport regularization (reg) does to nDCG.",
    epilog=example("sweep tiny"),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from optical_cli import __version__

        print(f"optical {__version__}")
        raise Exit


@app.callback()
def _root(
    _wanted: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


for _panel, _commands in PANELS.items():
    for _command, _example in _commands.items():
        if isinstance(_command, Typer):
            app.add_typer(_command, rich_help_panel=_panel, epilog=example(_example))
        else:
            app.command(cls=NumbersAsWritten, rich_help_panel=_panel, epilog=example(_example))(_command)
