"""Every cell of an experiment, one after the other; one that fails does not stop the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.store import Artifact
from optical_cli.cells import Cell, cells_of, student_of
from optical_cli.errors import OpticalError, OutOfTime
from optical_cli.pipeline import Pipeline
from optical_cli.report import Result
from optical_cli.step import Step


@dataclass(frozen=True)
class Planned:
    """A step of an experiment and its artifact, if the cache holds it."""

    step: Step
    artifact: Artifact | None


def run_sweep(pipeline: Pipeline, on_cell: Callable[[Result], None]) -> tuple[list[Result], int]:
    """Obtain the scores of every cell.

    Args:
        pipeline: of the experiment.
        on_cell: hears of each cell as it is done.

    Returns:
        a result a cell, in the order of the cells, and how many artifacts had to be made.

    Raises:
        OutOfTime: the time limit has stopped a training; what was finished stays in the cache.
        OpticalError: the experiment's input cannot be used; nothing has been computed then.
    """
    results: list[Result] = []
    made_before = pipeline.made
    if any(planned.artifact is None for planned in plan(pipeline)):
        pipeline.check()
    for cell in cells_of(pipeline.experiment):
        try:
            artifact, _ = pipeline.obtain(pipeline.scores(cell))
            result = _result(pipeline, cell, artifact)
        except OutOfTime:
            raise
        except OpticalError as error:
            result = _result(pipeline, cell, None, failure=str(error))
        except (RuntimeError, MemoryError, OSError) as error:  # a device out of memory, a full disk
            result = _result(pipeline, cell, None, failure=f"{type(error).__name__}: {error}")
        results.append(result)
        on_cell(result)
    return results, pipeline.made - made_before


def cached_results(pipeline: Pipeline) -> list[Result]:
    """A result a cell from what the cache holds; a cell without scores there has none."""
    cells = cells_of(pipeline.experiment)
    return [_result(pipeline, cell, pipeline.cache.find("scores", pipeline.scores(cell).key)) for cell in cells]


def plan(pipeline: Pipeline) -> Iterator[Planned]:
    """Every step of the experiment once, in the order in which it would be made."""
    seen: set[str] = set()
    for cell in cells_of(pipeline.experiment):
        for step in pipeline.scores(cell).with_inputs():
            if step.key.digest not in seen:
                seen.add(step.key.digest)
                yield Planned(step, pipeline.cache.find(step.kind, step.key))


def _result(pipeline: Pipeline, cell: Cell, scores: Artifact | None, failure: str | None = None) -> Result:
    training = _training(pipeline, cell) if scores is not None else None
    health = training.manifest["health"] if training else {}
    return Result(
        pair=cell.pair,
        objective=cell.objective,
        reg=cell.reg,
        seed=cell.seed,
        corpus=pipeline.experiment.pairs[cell.pair].corpus_name,
        scores=read_scores(scores.folder / "scores.json") if scores is not None else None,
        failure=failure,
        health={k: v for k, v in health.items() if isinstance(v, int | float)} if training else None,
        seconds=float(training.manifest["seconds"]) if training else None,
        held_out=health.get("held_out_end"),
    )


def _training(pipeline: Pipeline, cell: Cell) -> Artifact | None:
    """The student of a cell, if it had a training and the cache still holds it."""
    if cell.analyzer is not None or student_of(pipeline.experiment, cell.pair) is None:
        return None
    step = pipeline.checkpoint(cell)
    return pipeline.cache.find(step.kind, step.key)
