"""`optical sweep`: every cell of an experiment."""

from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.engine import open_engine
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.shell_commands import shell_commands
from optical_cli.cli.sweep_audience import SweepAudience
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optical_cli.pipeline import Pipeline
    from optical_cli.plan.planned import Planned

Events = Annotated[
    str | None,
    typer.Option(
        "--events",
        metavar="FILE",
        help="Append what happens while it happens, a JSON object a line; - for stdout, which has nothing else then.",
    ),
]


def sweep(
    experiment: options.Experiment,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    device: options.Device = "auto",
    engine: options.Engine = "local",
    ray_address: options.RayAddress = None,
    time_limit: options.TimeLimit = None,
    print_commands: Annotated[
        bool, typer.Option("--print-commands", help="Print a command a cell, to be run wherever, and run none.")
    ] = False,
    events: Events = None,
    offline: options.Offline = False,
    locked: options.Locked = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Run every reg, pair, seed and baseline; what the cache holds is not made again.

    A cell that fails does not stop the others: they are listed at the end, and the exit code is 1.
    """
    from optical_cli.pipeline.cells import cells_of
    from optical_cli.plan.planned import plan
    from optical_cli.sweep.sweep import run_sweep

    if events == "-" and (as_json or print_commands):
        other = "--json" if as_json else "--print-commands"
        raise ConfigError(f"--events -: {other} has stdout for itself; name a file, or leave out {other}")
    audience = SweepAudience(events)
    with open_engine(engine, ray_address, device, audience.terminal.say) as remote:
        pipeline = open_pipeline(
            experiment,
            overrides,
            cache_dir,
            device,
            time_limit=time_limit,
            progress=audience.progress,
            offline=offline,
            locked=locked,
            remote=remote,
        )
        if print_commands:
            cells = cells_of(pipeline.experiment)
            for command in shell_commands(experiment, cells, overrides or (), cache_dir, device, offline=offline):
                print(command)
            return
        planned = plan(pipeline)
        for line in _without_room(pipeline, planned):
            audience.terminal.say(f"warning: {line}")
        name, measures = pipeline.experiment.name, pipeline.experiment.evaluation.measures
        with audience.attending(name, measures):
            results, made = run_sweep(pipeline, planned, audience.cell, audience.stand, audience.progress.say)
            audience.end(name, made, results)
    if as_json:
        show.as_json(show.sweep_record(name, made, results))
    elif events != "-":
        show.table(results, measures)
        show.curve(results, measures)
    say = audience.terminal.say
    say("every artifact was in the cache; nothing was computed" if made == 0 else f"{made} artifacts made")
    failures = show.failure_lines(results)
    for line in failures:
        say(line)
    if failures:
        raise typer.Exit(1)


def _without_room(pipeline: "Pipeline", planned: "Sequence[Planned]") -> list[str]:
    """What of an index or a search that is to be made this machine has no room for, before anything is begun."""
    if not any(one.artifact is None and one.step.kind in ("indexes", "quantized") for one in planned):
        return []
    from optical_cli.plan.estimate import cannot_fit, estimate

    pipeline.check()
    return cannot_fit(estimate(pipeline, planned), pipeline.cache.root)
