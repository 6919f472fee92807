"""`optical evaluate`: the measures of a run, ours or that of another system."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options
from optical_cli.cli.obtain import obtain
from optical_cli.cli.options import Wanted
from optical_cli.cli.session import open_pipeline
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.step import Step

Run = Annotated[
    Path | None,
    typer.Option("--run", help="A TREC run of another system: measured, and from then on a row of the report."),
]


def evaluate(
    experiment: options.Experiment,
    reg: options.Reg = None,
    objective: options.Objective = None,
    pair: options.Pair = None,
    seed: options.Seed = None,
    run: Run = None,
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
    """Measure the run of a pair; means go to stderr, the path of the scores to stdout."""
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
    wanted = Wanted(reg, objective, pair, seed)
    step = pipeline.scores(wanted.cell(pipeline.experiment)) if run is None else _imported(pipeline, wanted, run)
    obtain(pipeline, step, as_json=as_json)


def _imported(pipeline: "Pipeline", wanted: Wanted, run: Path) -> "Step":
    from optical_cli.sweep.imported_runs import import_step

    if (wanted.reg, wanted.objective, wanted.seed) != (None, None, None):
        raise ConfigError("--run: a run of another system has no reg, objective or seed; leave these options out")
    return import_step(pipeline, wanted.named_pair(pipeline.experiment), run)
