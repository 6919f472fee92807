"""The commands."""

from typing import Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.align_command import align
from optical_cli.cli.cache_commands import cache_app
from optical_cli.cli.compare_command import compare
from optical_cli.cli.doctor_command import doctor
from optical_cli.cli.engine import open_engine
from optical_cli.cli.evaluate_command import evaluate
from optical_cli.cli.export_command import export
from optical_cli.cli.fetch_command import fetch
from optical_cli.cli.fuse_command import fuse
from optical_cli.cli.lock_command import lock
from optical_cli.cli.obtain import obtain
from optical_cli.cli.options import Wanted
from optical_cli.cli.report_command import report
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.stages import DISTILL, INDEX, RETRIEVE, Stage
from optical_cli.cli.status_command import status
from optical_cli.cli.sweep_command import sweep
from optical_cli.cli.teach_command import teach
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.cli.verify_command import verify
from optical_cli.cli.why_command import why_app

app = typer.Typer(
    name="optical",
    help="Move an English retriever into another language by optimal transport, and measure what the strength of "
    "the transport regularization does to nDCG.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(cache_app, name="cache")
app.add_typer(why_app, name="why")
app.command()(align)
app.command()(compare)
app.command()(doctor)
app.command()(export)
app.command()(fetch)
app.command()(fuse)
app.command()(lock)
app.command()(report)
app.command()(teach)


def _version(asked: bool) -> None:
    if asked:
        from optical_cli import __version__

        print(f"optical {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command("distill", help=DISTILL.summary)
def distill(
    experiment: options.Experiment,
    reg: options.Reg = None,
    objective: options.Objective = None,
    pair: options.Pair = None,
    seed: options.Seed = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    device: options.Device = "auto",
    no_upstream: options.NoUpstream = False,
    time_limit: options.TimeLimit = None,
    offline: options.Offline = False,
    locked: options.Locked = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Obtain the students that are asked for, and print their folders."""
    pipeline = open_pipeline(
        experiment,
        overrides,
        cache_dir,
        device,
        upstream=not no_upstream,
        time_limit=time_limit,
        offline=offline,
        locked=locked,
    )
    for step in DISTILL.steps_of(pipeline, Wanted(reg, objective, pair, seed)):
        obtain(pipeline, step, as_json=as_json)


def _add_stage(stage: Stage) -> None:
    """Add the command of a stage that workers can share: both take the same options and print their folders."""

    @app.command(stage.name, help=stage.summary)
    def run(
        experiment: options.Experiment,
        reg: options.Reg = None,
        objective: options.Objective = None,
        pair: options.Pair = None,
        seed: options.Seed = None,
        overrides: options.Set = None,
        cache_dir: options.CacheDir = None,
        device: options.Device = "auto",
        engine: options.Engine = "local",
        ray_address: options.RayAddress = None,
        no_upstream: options.NoUpstream = False,
        time_limit: options.TimeLimit = None,
        offline: options.Offline = False,
        locked: options.Locked = False,
        as_json: options.Json = False,
        debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
    ) -> None:
        with open_engine(engine, ray_address, device, TerminalProgress().say) as remote:
            pipeline = open_pipeline(
                experiment,
                overrides,
                cache_dir,
                device,
                upstream=not no_upstream,
                time_limit=time_limit,
                offline=offline,
                locked=locked,
                remote=remote,
            )
            for step in stage.steps_of(pipeline, Wanted(reg, objective, pair, seed)):
                obtain(pipeline, step, as_json=as_json)


for _stage in (INDEX, RETRIEVE):
    _add_stage(_stage)

app.command()(evaluate)
app.command()(sweep)
app.command()(status)
app.command()(verify)


@app.command()
def plan(
    experiment: options.Experiment,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Refuse, rather than show what is left open, if an input is not here.")
    ] = False,
    locked: options.Locked = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Measure for some seconds how fast this machine encodes and searches.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Show each artifact of an experiment: in the cache, or to be made, and what that will take. Nothing is downloaded.

    Sizes come from a sample of the texts, times from what like artifacts took on this machine, or from a probe.
    """
    from optical_cli.plan.estimate import Estimates
    from optical_cli.plan.probe import probe_of
    from optical_cli.plan.room import cannot_fit
    from optical_cli.sweep.sweep import plan as planned_steps

    pipeline = open_pipeline(experiment, overrides, cache_dir, offline=offline, locked=locked, fetch=False)
    pipeline.check()
    steps = list(planned_steps(pipeline))
    for reason in pipeline.not_here:
        TerminalProgress().say(f"not checked: {reason}")
    found = Estimates(
        pipeline.experiment, pipeline.cache, steps, probe_of(pipeline.context) if probe else None
    ).to_make()
    if as_json:
        show.as_json([show.planned_record(planned, found) for planned in steps])
    else:
        show.plan(steps, found)
    for line in cannot_fit(found, pipeline.cache.root):
        TerminalProgress().say(f"warning: {line}")


@app.command("warm-up")
def warm_up(debug: options.Debug = False) -> None:  # noqa: ARG001
    """Compile once what numba and ranx compile on first use, so that no experiment waits for it."""
    from optical_cli.doctor.computing import warm_up as compile_all

    progress = TerminalProgress()
    progress.say("compiling, up to a minute on a new machine")
    compile_all()
    progress.say("ready")
