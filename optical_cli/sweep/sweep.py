"""Every cell of an experiment, one after the other, or by workers; one that fails does not stop the others."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from optical_cli.artifacts.result import Result
from optical_cli.cache.artifact import Artifact
from optical_cli.config.engines import STRUCTURE
from optical_cli.errors import NoRoom, OpticalError, OutOfTime
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.planned import Left, Planned, TimeEstimator, plan
from optical_cli.sweep.results import result_of


@dataclass(frozen=True)
class Standing:
    """How a sweep stands: its cells, those done and failed, the running one (None at the end), and what is left."""

    cells: int
    done: int
    failed: int
    running: Cell | None
    left: Left


def run_sweep(
    pipeline: Pipeline,
    on_cell: Callable[[Result], None],
    on_standing: Callable[[Standing], None] = lambda _standing: None,
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[list[Result], int]:
    """Obtain the scores of every cell.

    Args:
        pipeline: of the experiment.
        on_cell: called with each cell as it is done.
        on_standing: called before each cell, and at the end; `running` is the first of those that workers make.
        say: called with each warning, and with each message of workers.

    Returns:
        a result for each cell, in the order of the cells, and how many artifacts had to be made.

    Raises:
        OutOfTime: the time limit has stopped a training; what was finished stays in the cache.
        NoRoom: the cache can take nothing more; what was finished stays.
        OpticalError: the experiment's input cannot be used; nothing has been computed then.
    """
    made_before = pipeline.made
    planned = plan(pipeline)
    if any(one.artifact is None for one in planned):
        pipeline.check()
        for line in _without_room(pipeline, planned):
            say(f"warning: {line}")
    times = TimeEstimator(planned, pipeline.cache)
    cells = pipeline.cells
    remote = pipeline.remote.cells(pipeline, cells, say) if pipeline.remote else None
    in_work = iter(remote or ((cell, partial(_scores, pipeline, cell)) for cell in cells))
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
            result = result_of(pipeline, cell, obtain())
        except (OutOfTime, NoRoom):  # so would the others end, after all their hours
            if remote is None:
                raise
            continue  # it raises the same when what else was running has ended
        except OpticalError as error:
            result = result_of(pipeline, cell, None, failure=str(error))
        except (RuntimeError, MemoryError, OSError) as error:  # a device out of memory
            result = result_of(pipeline, cell, None, failure=f"{type(error).__name__}: {error}")
        results[cell] = result
        times.settle(cell)
        on_cell(result)
    return [results[cell] for cell in cells], pipeline.made - made_before


def _without_room(pipeline: Pipeline, planned: list[Planned]) -> list[str]:
    """Say which indexes and searches fit neither the disk nor the memory."""
    if not any(one.artifact is None and one.step.kind in ("indexes", STRUCTURE) for one in planned):
        return []
    from optical_cli.plan.estimate import cannot_fit, estimate

    return cannot_fit(estimate(pipeline, planned), pipeline.cache.root)


def _scores(pipeline: Pipeline, cell: Cell) -> Artifact:
    return pipeline.obtain(pipeline.scores(cell))[0]
