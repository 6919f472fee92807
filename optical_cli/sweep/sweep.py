"""Every cell of an experiment, one after the other, or by workers; one that fails does not stop the others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from optical_cli.artifacts.result import ApproximateSearch, Result
from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.artifact import Artifact
from optical_cli.errors import NoRoom, OpticalError, OutOfTime
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, cells_of, student_of
from optical_cli.plan.planned import Left, Planned, TimeEstimator


@dataclass(frozen=True)
class Standing:
    """How a running sweep stands.

    Attributes:
        cells: of the experiment.
        done: cells that have scores.
        failed: cells that will have none.
        running: the cell that is looked up or computed now; None at the end.
        left: what is to be done yet, this cell included.
    """

    cells: int
    done: int
    failed: int
    running: Cell | None
    left: Left


def run_sweep(
    pipeline: Pipeline,
    planned: Iterable[Planned],
    on_cell: Callable[[Result], None],
    on_standing: Callable[[Standing], None] = lambda _standing: None,
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[list[Result], int]:
    """Obtain the scores of every cell.

    Args:
        pipeline: of the experiment.
        planned: every step of the experiment once.
        on_cell: called with each cell as it is done.
        on_standing: called before each cell, and at the end; of several cells that workers have in work, with the
            first.
        say: called with each message of workers.

    Returns:
        a result a cell, in the order of the cells, and how many artifacts had to be made.

    Raises:
        OutOfTime: the time limit has stopped a training; what was finished stays in the cache.
        NoRoom: the cache can take nothing more; what was finished stays.
        OpticalError: the experiment's input cannot be used; nothing has been computed then.
    """
    made_before = pipeline.made
    times = TimeEstimator(planned)
    if times.left.artifacts:
        pipeline.check()
    cells = list(cells_of(pipeline.experiment))
    remote = pipeline.context.remote.cells(pipeline, cells, say) if pipeline.context.remote else None
    in_work = iter(remote or ((cell, partial(_obtain, pipeline, cell)) for cell in cells))
    results: dict[Cell, Result] = {}

    def standing() -> Standing:
        failed = sum(result.failure is not None for result in results.values())
        running = next((cell for cell in cells if cell not in results), None)
        return Standing(len(cells), len(results) - failed, failed, running, times.left)

    while True:
        on_standing(standing())
        found = next(in_work, None)
        if found is None:
            break
        cell, obtain = found
        try:
            result = _result(pipeline, cell, obtain())
        except (OutOfTime, NoRoom):  # so would the others end, after all their hours
            if remote is None:
                raise
            continue  # it raises the same when what else was running has ended
        except OpticalError as error:
            result = _result(pipeline, cell, None, failure=str(error))
        except (RuntimeError, MemoryError, OSError) as error:  # a device out of memory
            result = _result(pipeline, cell, None, failure=f"{type(error).__name__}: {error}")
        results[cell] = result
        for one in times.steps_of(cell):
            times.settle(one, _made(pipeline, one))
        on_cell(result)
    made = pipeline.made - made_before + (0 if remote is None else remote.made)
    return [results[cell] for cell in cells], made


def _obtain(pipeline: Pipeline, cell: Cell) -> Artifact:
    return pipeline.obtain(pipeline.scores(cell))[0]


def cached_results(pipeline: Pipeline) -> list[Result]:
    """A result a cell from what the cache holds; a cell without scores there has none."""
    cells = cells_of(pipeline.experiment)
    return [_result(pipeline, cell, pipeline.cache.find("scores", pipeline.scores(cell).key)) for cell in cells]


def _made(pipeline: Pipeline, planned: Planned) -> Artifact | None:
    try:
        return pipeline.cache.find(planned.step.kind, planned.step.key)
    except OpticalError:  # the cell that needed it has failed, and says so
        return None


def _result(pipeline: Pipeline, cell: Cell, scores: Artifact | None, failure: str | None = None) -> Result:
    training = _training(pipeline, cell) if scores is not None else None
    health = training.manifest["health"] if training else {}
    index = pipeline.experiment.index
    return Result(
        pair=cell.pair,
        objective=cell.objective,
        reg=cell.reg,
        seed=cell.seed,
        corpus=pipeline.experiment.pairs[cell.pair].corpus_name,
        scores=read_scores(scores.folder / "scores.json") if scores is not None else None,
        failure=failure,
        health={k: v for k, v in health.items() if isinstance(v, int | float)} if training else None,
        seconds=_seconds_of_training(pipeline, cell) if training else None,
        held_out=health.get("held_out_end"),
        search=_search(pipeline, cell) if scores is not None else None,
        index=index if index.name and cell.analyzer is None else None,
    )


def _search(pipeline: Pipeline, cell: Cell) -> ApproximateSearch | None:
    """What the run of a cell says of its search, if that was approximate and the cache still holds it."""
    engine = pipeline.experiment.engine_of(cell.pair)
    if cell.analyzer is not None or not engine.note:
        return None
    step = pipeline.run(cell)
    run = pipeline.cache.find(step.kind, step.key)
    return ApproximateSearch(engine.name, run.manifest["health"].get("overlap") if run else None)


def _training(pipeline: Pipeline, cell: Cell) -> Artifact | None:
    """The student of a cell, if it has one and the cache still holds it."""
    if not cell.has_student or student_of(pipeline.experiment, cell.pair) is None:
        return None
    step = pipeline.checkpoint(cell)
    return pipeline.cache.find(step.kind, step.key)


def _seconds_of_training(pipeline: Pipeline, cell: Cell) -> float | None:
    """What the training took: of a student that was averaged with its start, what came before."""
    student = pipeline.checkpoint(cell)
    step = student.inputs.get("trained", student)
    artifact = pipeline.cache.find(step.kind, step.key)
    return float(artifact.manifest["seconds"]) if artifact else None
