"""`optical sweep`: every cell of an experiment."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from optical_cli.cli.opening import Opening, command_line, set_options
from optical_cli.cli.options import Experiment, takes
from optical_cli.cli.plan_commands import estimates_of, warn_of_room
from optical_cli.cli.records import print_json, sweep_record
from optical_cli.cli.report_command import print_results, result_line
from optical_cli.cli.sweep_audience import SweepAudience
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.cells import Cell
    from optical_cli.plan.planned import Planned


@takes(
    *("overrides", "cache_dir", "device", "engine", "ray_address", "time_limit", "print_commands", "events"),
    *("offline", "locked", "as_json"),
)
def sweep(
    experiment: Experiment,
    opening: Opening,
    print_commands: Annotated[bool, Option("--print-commands", help="Print a shell command a cell; run none.")] = False,
    events: Annotated[
        str | None,
        Option(metavar="FILE", help="Append events, a JSON object a line; - for stdout, then without a table."),
    ] = None,
) -> None:
    """Run every reg, pair, seed and baseline; what the cache holds is not made again.

    A cell that fails does not stop the others: they are listed at the end, and the exit code is 1.
    """
    from optical_cli.plan.planned import plan
    from optical_cli.sweep.sweep import run_sweep

    if events == "-" and (opening.as_json or print_commands):
        other = "--json" if opening.as_json else "--print-commands"
        raise ConfigError(f"--events -: {other} has stdout for itself; name a file, or leave out {other}")
    audience = SweepAudience(events)
    say = audience.terminal.say
    with opening.remote(say) as remote:
        pipeline = opening.pipeline(experiment, progress=audience, remote=remote)
        if print_commands:
            for command in _shell_commands(experiment, pipeline.cells, opening):
                print(command)
            return
        planned = plan(pipeline)
        _warn_of_room(pipeline, planned, say)
        name, measures = pipeline.experiment.name, pipeline.experiment.evaluation.measures
        with audience.following(name, measures):
            results, made = run_sweep(pipeline, planned, audience.cell, audience.stand, audience.say)
            audience.end(name, made, results)
    if opening.as_json:
        print_json(sweep_record(name, made, results))
    elif events != "-":
        print_results(results, measures)
    say("every artifact was in the cache; nothing was computed" if made == 0 else f"{made} artifacts made")
    failed = [result for result in results if result.failure is not None]
    for result in failed:
        say(result_line(result, []))
    if failed:
        raise typer.Exit(1)


def _warn_of_room(pipeline: "Pipeline", planned: "Sequence[Planned]", say: Callable[[str], None]) -> None:
    """Warn of indexes and searches that this machine has no room for, before anything is begun."""
    if any(one.artifact is None and one.step.kind in ("indexes", "quantized") for one in planned):
        pipeline.check()
        warn_of_room(pipeline, estimates_of(pipeline, planned), say)


def _shell_commands(experiment: str, cells: "Sequence[Cell]", opening: Opening) -> Iterator[str]:
    """Return a command for each cell, to be spread with make -j, Slurm arrays or xargs -P.

    The first command that needs an artifact makes it.
    """
    shared = set_options(opening.overrides)
    if opening.cache_dir is not None:
        shared += ["--cache-dir", str(opening.cache_dir)]
    if opening.device != "auto":
        shared += ["--device", opening.device]
    if opening.offline:
        shared.append("--offline")
    for cell in cells:
        setting = ["--objective", cell.objective] if cell.reg is None else ["--reg", repr(cell.reg)]
        yield command_line("evaluate", experiment, "--pair", cell.pair, *setting, "--seed", str(cell.seed), *shared)
