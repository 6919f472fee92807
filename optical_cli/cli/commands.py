"""The commands of `optical`, in the order of its help."""

from typing import Annotated

from typer import Exit, Option, Typer

from optical_cli.cli.align_command import align
from optical_cli.cli.cache_commands import cache_app
from optical_cli.cli.compare_command import compare
from optical_cli.cli.model_commands import export, teach
from optical_cli.cli.plan_commands import plan, status
from optical_cli.cli.prepare_commands import doctor, fetch, warm_up
from optical_cli.cli.report_command import report
from optical_cli.cli.reproduce_commands import lock, verify, why_app
from optical_cli.cli.stage_commands import DISTILL, EVALUATE, INDEX, RETRIEVE, command_of, evaluate, fuse
from optical_cli.cli.sweep_command import sweep

app = Typer(
    name="optical",
    help="Move an English retriever into another language by optimal transport, and measure what the strength of "
    "the transport regularization does to nDCG.",
    no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None,
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        from optical_cli import __version__

        print(f"optical {__version__}")
        raise Exit


@app.callback()
def _root(
    _asked: Annotated[bool, Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


for _command in (align, compare, doctor, export, fetch, fuse, lock, report, teach):
    app.command()(_command)
for _stage in (DISTILL, INDEX, RETRIEVE):
    app.command(_stage.name, help=_stage.summary)(command_of(_stage))
app.command(EVALUATE.name, help=EVALUATE.summary)(evaluate)
for _command in (sweep, status, verify, plan, warm_up):
    app.command()(_command)
app.add_typer(cache_app, name="cache")
app.add_typer(why_app, name="why")
