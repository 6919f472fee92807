"""What every step of a pipeline is made from: the experiment, its inputs, the cache, and who computes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.store import Cache
from optical_cli.config.experiment import Experiment
from optical_cli.encoder.precision import Resolved, resolve_precision
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.sources import Sources
from optical_cli.processes import Processes
from optical_cli.progress import Progress

if TYPE_CHECKING:  # these load torch
    from optical_cli.index.build import EncodeShards
    from optical_cli.pipeline.pipeline import Pipeline
    from optical_cli.retrieve.search import OpenExact


class RemoteCells(Protocol):
    """Cells of a sweep that others make.

    Attributes:
        made: artifacts that were made so far.
    """

    made: int

    def __iter__(self) -> Iterator[tuple[Cell, Callable[[], Artifact]]]:
        """Each cell as it is done, with a function that gives its scores, or raises why it has none.

        Raises:
            OutOfTime: the time limit has stopped a training; what else was running has ended too.
            NoRoom: the cache can take nothing more; what else was running has ended too.
        """
        ...


@dataclass(frozen=True)
class Remote:
    """Work that others do in place of this process, with the same bits.

    Attributes:
        encode: encodes the documents of an index.
        open_exact: searches an index.
        cells: makes the cells of a sweep; called with the pipeline, the cells, and a function that takes messages.
    """

    encode: "EncodeShards"
    open_exact: "OpenExact"
    cells: "Callable[[Pipeline, Sequence[Cell], Callable[[str], None]], RemoteCells]"


@dataclass(frozen=True)
class Context:
    """What every step of a pipeline is made from.

    Attributes:
        wanted_device: a torch device, or `auto`.
        progress: told how far the work is.
        processes: run the same pipeline together.
        deadline: no training goes on when `time.monotonic()` has passed it; None for no limit.
        offline: nothing is downloaded, and this command is named as the one that would; None if downloads are allowed.
        remote: encodes and searches indexes in place of this process; None: this process does.
    """

    experiment: Experiment
    sources: Sources
    cache: Cache
    wanted_device: str
    progress: Progress
    processes: Processes
    deadline: float | None = None
    offline: str | None = None
    remote: "Remote | None" = None

    @property
    def lengths(self) -> dict[Side, int]:
        """Tokens of a text, by the side it is on."""
        encoding = self.experiment.encoding
        return {"query": encoding.query_length, "document": encoding.document_length}

    @cached_property
    def setup(self) -> EncoderSetup:
        """How texts are encoded."""
        encoding = self.experiment.encoding
        return EncoderSetup(
            query_length=encoding.query_length,
            document_length=encoding.document_length,
            precision=self.encoding_precision,
            batch_size=encoding.batch_size,
            device=self._device,
        )

    @cached_property
    def _device(self) -> str:
        from optical_cli.encoder.device import resolve_device

        return resolve_device(self.wanted_device)

    @cached_property
    def encoding_precision(self) -> Resolved:
        """Precision in which texts are encoded on this machine."""
        return self._agreed(self.experiment.encoding.precision)

    @cached_property
    def training_precision(self) -> Resolved:
        """Precision in which students are trained on this machine."""
        return self._agreed(self.experiment.training.precision)

    def search_precision(self) -> Resolved:
        """Precision in which scores are bounded; it changes no result, so each process may find its own."""
        return self._resolved(self.experiment.retrieval.precision)

    def _agreed(self, wanted: str) -> Resolved:
        return self.processes.decide(lambda: self._resolved(wanted))  # they may run on several machines

    def _resolved(self, wanted: str) -> Resolved:
        return resolve_precision(wanted, self.cache.root / "machines", self.progress.say)
