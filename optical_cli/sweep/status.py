"""How far an experiment is, from what its cache holds: asked by any process, while others make it."""

from collections.abc import Iterable
from dataclasses import dataclass

from optical_cli.cache.notes import Failure, Making
from optical_cli.errors import OpticalError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.plan.planned import Left, TimeEstimator, plan

DONE, RUNNING, STOPPED, FAILED, TO_DO = "done", "running", "stopped", "failed", "to do"


@dataclass(frozen=True)
class CellStatus:
    """A cell that is `done`, `running`, `stopped` by a kill, `failed` for a reason, or `to do`."""

    cell: Cell
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Status:
    """Every cell of an experiment, and what is left to make."""

    cells: tuple[CellStatus, ...]
    left: Left

    def count(self, state: str) -> int:
        """How many cells are in a state."""
        return sum(one.state == state for one in self.cells)


def status_of(pipeline: Pipeline, making: Iterable[tuple[Making, bool]], failures: Iterable[Failure]) -> Status:
    """The status of an experiment.

    A step that several cells need is being made for the first of them, as a sweep does it, and fails for all of them.

    `making` says of each step in the making whether its process is alive; `failures` is what could not be made.
    """
    at_work = {one.key: RUNNING if alive else STOPPED for one, alive in making}
    failed = {one.key: one.reason for one in failures}
    cells = tuple(_status(pipeline, cell, at_work, failed) for cell in pipeline.cells)
    return Status(cells, TimeEstimator(plan(pipeline), pipeline.cache).left)


def _status(pipeline: Pipeline, cell: Cell, at_work: dict[str, str], failed: dict[str, str]) -> CellStatus:
    """The status of a cell, which takes the work on a step for its own."""
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
