"""`optical why`: what differs from the nearest artifact that the cache holds."""

import typer

from optical_cli.cli import options, show
from optical_cli.cli.options import Wanted
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.stages import STAGES, Stage

why_app = typer.Typer(
    help="Say why a stage would have to compute: which setting or input differs from the nearest artifact.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _add(stage: Stage) -> None:
    @why_app.command(stage.name, help=f"Why `optical {stage.name}` with the same options would compute.")
    def why(
        experiment: options.Experiment,
        reg: options.Reg = None,
        objective: options.Objective = None,
        pair: options.Pair = None,
        seed: options.Seed = None,
        overrides: options.Set = None,
        cache_dir: options.CacheDir = None,
        offline: options.Offline = False,
        as_json: options.Json = False,
        debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
    ) -> None:
        from optical_cli.reproduce.why import explain

        pipeline = open_pipeline(experiment, overrides, cache_dir, offline=offline)
        steps = stage.steps_of(pipeline, Wanted(reg, objective, pair, seed))
        explanations = [explain(step, pipeline.cache) for step in steps]
        if as_json:
            show.as_json([show.explanation_record(explanation) for explanation in explanations])
        else:
            for explanation in explanations:
                show.explanation(explanation)


for _stage in STAGES:
    _add(_stage)
