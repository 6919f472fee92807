"""The status of an experiment, read from its cache, also while other processes run it."""

from collections.abc import Iterable
from dataclasses import dataclass

from optical_cli.cache.notes import Failure, Making
from optical_cli.errors import OpticalError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.estimate import estimate
from optical_cli.plan.planned import Left, plan

DONE, RUNNING, STOPPED, FAILED, TO_DO = "done", "running", "stopped", "failed", "to do"


@dataclass(frozen=True)
class CellStatus:
    """A cell that is `done`, `running`, `stopped` by a kill, `failed` for a reason, or `to do`."""

    cell: Cell
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Status:
    """The status of every cell of an experiment, and the work that is left."""

    cells: tuple[CellStatus, ...]
    left: Left

    def count(self, state: str) -> int:
        """Count the cells in a state."""
        return sum(one.state == state for one in self.cells)


def status_of(pipeline: Pipeline, making: Iterable[tuple[Making, bool]], failures: Iterable[Failure]) -> Status:
    """Find the status of every cell of an experiment.

    A step that several cells need is running for the first of them only, and failed for all of them.

    Args:
        making: the artifacts in the making, and whether the process of each is alive.
        failures: the artifacts that could not be made.
    """
    at_work = {one.key: RUNNING if alive else STOPPED for one, alive in making}
    failed = {one.key: one.reason for one in failures}
    cells = tuple(_status(pipeline, cell, at_work, failed) for cell in pipeline.cells)
    return Status(cells, estimate(pipeline, plan(pipeline))[1].left)


def _status(pipeline: Pipeline, cell: Cell, at_work: dict[str, str], failed: dict[str, str]) -> CellStatus:
    """Find the status of a cell; removes the steps that it claims from `at_work`."""
    try:
        scores = pipeline.scores(cell)
        if pipeline.cache.find(*scores.address) is not None:
            return CellStatus(cell, DONE)
    except OpticalError as error:
        return CellStatus(cell, FAILED, str(error))
    keys = [step.key.digest for step in scores.with_inputs()]
    states = [at_work.pop(key) for key in keys if key in at_work]
    if RUNNING in states:
        return CellStatus(cell, RUNNING)
    if reason := next((failed[key] for key in keys if key in failed), None):
        return CellStatus(cell, FAILED, reason)
    return CellStatus(cell, STOPPED if states else TO_DO)
