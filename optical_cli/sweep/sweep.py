"""Run every cell of an experiment, in sequence or by workers; a cell that fails does not stop the others."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from optical_cli.artifacts.result import Result
from optical_cli.cache.artifact import Artifact
from optical_cli.encoder.setup import weight_bytes
from optical_cli.errors import NoRoom, OpticalError, OutOfTime
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.planned import Left, Planned, TimeEstimator, plan
from optical_cli.sweep.results import result_of

LIGHT = 20 << 20
"""Bytes of a model that trains in seconds."""


@dataclass(frozen=True)
class Standing:
    """The state of a sweep: its number of cells, those done and failed, and the work that is left."""

    cells: int
    done: int
    failed: int
    running: Cell | None  # None at the end
    left: Left


def run_sweep(
    pipeline: Pipeline,
    on_cell: Callable[[Result], None],
    on_standing: Callable[[Standing], None] = lambda _standing: None,
    say: Callable[[str], None] = lambda _line: None,
) -> tuple[list[Result], int]:
    """Obtain the scores of every cell.

    Args:
        on_cell: called with the result of each cell as it is done.
        on_standing: called before each cell, and at the end; with workers, `running` is the first cell at work.
        say: called with warnings and with messages of workers.

    Returns:
        the result of each cell, in the order of the cells, and the number of artifacts that were made.

    Raises:
        OutOfTime: the time limit stopped a training; finished artifacts stay in the cache.
        NoRoom: the disk of the cache is full or read-only; finished artifacts stay.
        OpticalError: an input of the experiment cannot be used; nothing was computed.
    """
    made_before = pipeline.made
    planned = plan(pipeline)
    if any(one.artifact is None for one in planned):
        pipeline.check()
        times = _look_ahead(pipeline, planned, say)
    else:
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
        except (OutOfTime, NoRoom):  # the other cells would end like this too
            if remote is None:
                raise
            continue  # the workers raise it again once the cells at work are done
        except OpticalError as error:
            result = result_of(pipeline, cell, None, failure=str(error))
        except (RuntimeError, MemoryError, OSError) as error:  # a device out of memory
            result = result_of(pipeline, cell, None, failure=f"{type(error).__name__}: {error}")
        results[cell] = result
        times.settle(cell)
        on_cell(result)
    return [results[cell] for cell in cells], pipeline.made - made_before


def _look_ahead(pipeline: Pipeline, planned: list[Planned], say: Callable[[str], None]) -> TimeEstimator:
    """Warn of artifacts that fit neither the disk nor the memory, and estimate the time of what is missing."""
    from optical_cli.plan.estimate import cannot_fit, estimate

    estimates, times = estimate(pipeline, planned, measure=_is_worth_a_probe(pipeline, planned))
    for line in cannot_fit(estimates, pipeline.cache.root):
        say(f"warning: {line}")
    return times


def _is_worth_a_probe(pipeline: Pipeline, planned: list[Planned]) -> bool:
    """Whether students are trained here, for so long that some seconds for a probe of this machine do not matter."""
    here = pipeline.remote is None and pipeline.processes.count == 1
    trains = any(one.artifact is None and one.step.together for one in planned)
    init = pipeline.sources.model(pipeline.sources.init).folder
    return here and trains and weight_bytes(init) > LIGHT


def _scores(pipeline: Pipeline, cell: Cell) -> Artifact:
    return pipeline.obtain(pipeline.scores(cell))[0]
