"""Makes the cells of a sweep by workers, which share the cache folder."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.cluster.spread_stages import SpreadMaxSim, spread_encoding
from optical_cli.config.experiment import Experiment
from optical_cli.encoder.device import device_of_worker, resolve_device
from optical_cli.errors import CacheError, NoRoom, OpticalError, OutOfTime
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.context import Remote
from optical_cli.pipeline.pipeline import Pipeline
from optical_cli.processes import Workers
from optical_cli.progress import Silence


def spread_over(workers: Workers) -> Remote:
    """Return the functions that encode documents, search and make cells by workers."""
    return Remote(
        encode=partial(spread_encoding, workers),
        open_exact=partial(SpreadMaxSim, workers),
        cells=partial(SpreadCells, workers),
    )


@dataclass(frozen=True)
class Sweep:
    """What a worker needs to open the pipeline of a sweep.

    Attributes:
        name: unique among sweeps.
        experiment: with the number formats that the main process resolved.
        root: folder of the cache, which all nodes share.
        until: value of `time.time()` at which trainings stop; None for no limit.
    """

    name: str
    experiment: Experiment = field(compare=False)
    root: Path = field(compare=False)
    device: str = field(compare=False)
    offline: str | None = field(compare=False)
    until: float | None = field(compare=False)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a cell in a worker."""

    made: int  # number of artifacts
    messages: tuple[str, ...]
    failed: Mapping[str, Exception]  # errors of steps, by the digests of their keys
    error: Exception | None  # error of the cell


class SpreadCells:
    """Iterable over the cells of a sweep, which workers make; `say` is called with the messages of workers.

    All nodes must share the cache folder, and have the experiment's input data under the same paths.
    """

    def __init__(self, workers: Workers, pipeline: Pipeline, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
        self._pipeline = pipeline
        self._workers = workers
        self._cells = cells
        self._say = say
        self._refused: list[tuple[Cell, Callable[[], Artifact]]] = []
        self._stopped: OpticalError | None = None

    def __iter__(self) -> Iterator[tuple[Cell, Callable[[], Artifact]]]:
        """Iterate over cells in the order they finish; see `RemoteCells`."""
        left = [cell for cell in self._cells if self._find(cell) is None]
        for cell in self._cells:
            if cell not in left:
                yield cell, partial(self._scores, cell)
        if not left:
            return
        sweep = _sweep_of(self._pipeline)
        for cell, done in self._workers.as_done(partial(_make, sweep), self._to_do(left)):
            yield cell, partial(self._settle, cell, done)
            if self._stopped is None:
                yield from self._refusals()
        if self._stopped is not None:
            raise self._stopped
        yield from self._refusals()

    def _to_do(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """Iterate over the cells to make; cells of different students come first, so that workers do not wait."""
        pairs = list(self._pipeline.experiment.pairs)
        for cell in sorted(cells, key=lambda cell: pairs.index(cell.pair)):
            if self._stopped is not None:
                return
            needed = [step.key.digest for step in self._pipeline.scores(cell).with_inputs()]
            failures = self._pipeline.failed
            failed = next((failures[digest] for digest in needed if digest in failures), None)
            if failed is None:
                yield cell
            else:  # a student that failed is not trained again for another pair
                self._refused.append((cell, partial(_raise, failed)))

    def _refusals(self) -> Iterator[tuple[Cell, Callable[[], Artifact]]]:
        while self._refused:
            yield self._refused.pop(0)

    def _settle(self, cell: Cell, done: Callable[[], Outcome]) -> Artifact:
        outcome = done()
        self._pipeline.made += outcome.made
        self._pipeline.failed |= outcome.failed
        for line in outcome.messages:
            self._say(line)
        if isinstance(outcome.error, OutOfTime | NoRoom):
            self._stopped = outcome.error
        if outcome.error is not None:
            raise outcome.error
        return self._scores(cell)

    def _scores(self, cell: Cell) -> Artifact:
        found = self._find(cell)
        if found is None:
            raise CacheError(
                f"scores of {cell.pair} {cell.name}: made by a worker, but not found in {self._pipeline.cache.root}; "
                "all nodes must share one cache folder, and have the same input data under the same paths"
            )
        return found

    def _find(self, cell: Cell) -> Artifact | None:
        return self._pipeline.cache.find(*self._pipeline.scores(cell).address)


def _sweep_of(pipeline: Pipeline) -> Sweep:
    x, deadline = pipeline.experiment, pipeline.deadline
    precise = {
        "encoding": x.encoding.model_copy(update={"precision": pipeline.encoding_precision}),
        "training": x.training.model_copy(update={"precision": pipeline.training_precision}),
    }
    return Sweep(
        uuid.uuid4().hex,
        x.model_copy(update=precise),
        pipeline.cache.root,
        device_of_worker(resolve_device(pipeline.device)),
        pipeline.offline,
        None if deadline is None else time.time() + deadline - time.monotonic(),
    )


def _make(sweep: Sweep, cell: Cell) -> Outcome:
    """Make the scores of a cell in a worker; errors are part of the outcome."""
    pipeline, collected = _opened(sweep)
    before, error = pipeline.made, None
    try:
        pipeline.obtain(pipeline.scores(cell))
    except (OpticalError, RuntimeError, MemoryError, OSError) as raised:
        error = raised
    messages = tuple(collected.lines)
    collected.lines.clear()
    return Outcome(pipeline.made - before, messages, pipeline.failed, error)


@lru_cache(maxsize=1)
def _opened(sweep: Sweep) -> tuple[Pipeline, "_Messages"]:
    """Open the pipeline of this worker, once for all of its cells."""
    messages, cache = _Messages(), Cache(sweep.root)
    deadline = None if sweep.until is None else time.monotonic() + sweep.until - time.time()
    return Pipeline(sweep.experiment, cache, sweep.device, messages, deadline=deadline, offline=sweep.offline), messages


class _Messages(Silence):
    """A `Progress` that collects messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        """Keep a message."""
        self.lines.append(message)


def _raise(error: Exception) -> Artifact:
    raise error
