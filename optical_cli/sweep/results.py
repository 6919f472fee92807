"""The results of an experiment that the cache holds."""

from typing import Any

from optical_cli.artifacts.result import ApproximateSearch, Result
from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.step import Step
from optical_cli.sweep.imported_runs import imported_runs

LOG = "training.jsonl"


def cached_results(pipeline: Pipeline) -> list[Result]:
    """Return a result for each cell, from what the cache holds."""
    return [result_of(pipeline, cell, pipeline.cache.find(*pipeline.scores(cell).address)) for cell in pipeline.cells]


def every_result(pipeline: Pipeline) -> list[Result]:
    """Return a result for each cell and each imported run, from what the cache holds."""
    return [*cached_results(pipeline), *(one.result for one in imported_runs(pipeline))]


def result_of(pipeline: Pipeline, cell: Cell, scores: Artifact | None, failure: str | None = None) -> Result:
    """Return the result of a cell, with what the cache holds of its training and its search.

    Args:
        failure: Why there are no scores; None if the cell is not made yet.
    """
    x = pipeline.experiment
    found: dict[str, Any] = {"scores": None, "health": None, "seconds": None}
    if scores is not None:
        step = pipeline.scores(cell)
        found = {"scores": read_scores(scores.folder / "scores.json"), **_training(pipeline.cache, step)}
        engine = x.engine_of(cell.pair)
        if cell.analyzer is None and engine.note:  # an approximate search
            run = pipeline.cache.find(*step.inputs["run"].address)
            found["search"] = ApproximateSearch(engine.name, run.manifest["health"].get("overlap") if run else None)
    return Result(
        pair=cell.pair,
        objective=cell.objective,
        reg=cell.reg,
        seed=cell.seed,
        corpus=x.pairs[cell.pair].corpus_name,
        failure=failure,
        index=x.index if x.index.name and cell.analyzer is None else None,
        **found,
    )


def _training(cache: Cache, scores: Step) -> dict[str, Any]:
    """Return health, held-out figures, log and seconds of the training behind scores, as far as the cache has them."""
    step = scores.upstream("checkpoint")
    student = cache.find(*step.address) if step else None
    if step is None or student is None:
        return {"health": None, "seconds": None}
    health = student.manifest["health"]
    # averaging a student with its start takes no time: the training is a step before it, and has the log
    trained = cache.find(*step.inputs.get("trained", step).address)
    return {
        "health": {name: value for name, value in health.items() if isinstance(value, int | float)},
        "held_out_start": health.get("held_out_start"),
        "held_out": health.get("held_out_end"),
        "log": trained.folder / LOG if trained and LOG in trained.manifest["files"] else None,
        "seconds": float(trained.manifest["seconds"]) if trained else None,
    }
