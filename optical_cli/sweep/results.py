"""From a cell's scores in the cache to the result that reports are made of."""

from typing import Any

from optical_cli.artifacts.result import ApproximateSearch, Result
from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.artifact import Artifact
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, student_of

NOT_TRAINED: dict[str, Any] = {"health": None, "seconds": None}


def cached_results(pipeline: Pipeline) -> list[Result]:
    """A result for each cell, from what the cache holds."""
    return [result_of(pipeline, cell, pipeline.cache.find(*pipeline.scores(cell).address)) for cell in pipeline.cells]


def result_of(pipeline: Pipeline, cell: Cell, scores: Artifact | None, failure: str | None = None) -> Result:
    """The result of a cell, with what the cache still holds of its training and its search.

    Args:
        pipeline: of the experiment.
        cell: one of its cells.
        scores: of the cell; None if it has none.
        failure: why it has none; None if it has some, or is not made yet.
    """
    index = pipeline.experiment.index
    training = _training(pipeline, cell) if scores is not None else NOT_TRAINED
    return Result(
        pair=cell.pair,
        objective=cell.objective,
        reg=cell.reg,
        seed=cell.seed,
        corpus=pipeline.experiment.pairs[cell.pair].corpus_name,
        scores=read_scores(scores.folder / "scores.json") if scores is not None else None,
        failure=failure,
        search=_search(pipeline, cell) if scores is not None else None,
        index=index if index.name and cell.analyzer is None else None,
        **training,
    )


def _training(pipeline: Pipeline, cell: Cell) -> dict[str, Any]:
    """Health, held-out figures and seconds of the training of a cell; none without a student in the cache."""
    if not cell.has_student or student_of(pipeline.experiment, cell.pair) is None:
        return NOT_TRAINED
    step = pipeline.checkpoint(cell)
    student = pipeline.cache.find(*step.address)
    if student is None:
        return NOT_TRAINED
    health = student.manifest["health"]
    # a student that was averaged with its start is made in no time: the training came before
    trained = pipeline.cache.find(*step.inputs.get("trained", step).address)
    return {
        "health": {name: value for name, value in health.items() if isinstance(value, int | float)},
        "held_out": health.get("held_out_end"),
        "seconds": float(trained.manifest["seconds"]) if trained else None,
    }


def _search(pipeline: Pipeline, cell: Cell) -> ApproximateSearch | None:
    """What the run of a cell says of its search, if that was approximate and the cache still holds it."""
    engine = pipeline.experiment.engine_of(cell.pair)
    if cell.analyzer is not None or not engine.note:
        return None
    run = pipeline.cache.find(*pipeline.run(cell).address)
    return ApproximateSearch(engine.name, run.manifest["health"].get("overlap") if run else None)
