"""What every step of a pipeline is made from: the experiment, its inputs, the cache, and who computes."""

import os
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from optical_cli.cache.artifact import Artifact, Health
from optical_cli.cache.notes import NotedProgress
from optical_cli.cache.store import Cache
from optical_cli.config.experiment import Experiment
from optical_cli.encoder.precision import Resolved, resolve_precision
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.pipeline.cells import Cell, Student
from optical_cli.pipeline.sources import Sources
from optical_cli.processes import Processes
from optical_cli.progress import Progress, Silence

if TYPE_CHECKING:  # these load torch
    from optical_cli.index.build import EncodeShards
    from optical_cli.retrieve.search import OpenExact


RemoteCells = Iterable[tuple[Cell, Callable[[], Artifact]]]
"""Each cell as it is done, with a function that gives its scores, or raises why it has none.

Iterating raises OutOfTime or NoRoom if a cell was stopped by it, once the other running cells have ended.
"""


@dataclass(frozen=True)
class Remote:
    """Work that others do in place of this process, with the same bits.

    Attributes:
        encode: encodes the documents of an index.
        open_exact: searches an index.
        cells: called with the pipeline, the cells of a sweep and a function that takes messages; makes the cells, and
            counts their artifacts in `pipeline.made`.
    """

    encode: "EncodeShards"
    open_exact: "OpenExact"
    cells: Callable[..., RemoteCells]


@dataclass(eq=False)
class Context:
    """What every step of a pipeline is made from.

    Attributes:
        device: a torch device, or `auto`.
        progress: counts the work; what is in the making is also noted in the cache, for `optical status`.
        upstream: make what is missing upstream of a wanted step; else refuse.
        processes: run this same pipeline together; they train together, and the first does all else.
        deadline: `time.monotonic()` at which a training stops; None for no limit.
        offline: download nothing, and name this command as the one that would; None if downloads are allowed.
        fetch: download what the experiment names and this machine lacks; else stand-ins take its place, and steps that
            need it can be named, but neither looked up nor made.
        remote: computes in place of this process; None: this process does.
        tokenizer_fits: of each student whose fit was measured.
    """

    experiment: Experiment
    cache: Cache
    device: str = "auto"
    progress: Progress = field(default_factory=Silence)
    _: KW_ONLY
    upstream: bool = True
    processes: Processes = field(default_factory=Processes)
    deadline: float | None = None
    offline: str | None = None
    fetch: bool = True
    remote: Remote | None = None
    sources: Sources = field(init=False)
    tokenizer_fits: dict[Student, Health] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # numba's OpenMP is torch's too: started by ranx, it would change the threads, and so the bits, of a training
        os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
        if self.offline is not None:  # the libraries that download read these
            os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
        self.progress = NotedProgress(self.progress, self.cache.notes)
        self.sources = Sources(self.experiment, self.cache.fingerprints, fetch=self.fetch)

    @property
    def lengths(self) -> dict[Side, int]:
        """Tokens of a text, by the side it is on."""
        encoding = self.experiment.encoding
        return {"query": encoding.query_length, "document": encoding.document_length}

    @cached_property
    def setup(self) -> EncoderSetup:
        """How texts are encoded."""
        from optical_cli.encoder.device import resolve_device

        encoding = self.experiment.encoding
        device, precision = resolve_device(self.device), self.encoding_precision
        return EncoderSetup(encoding.query_length, encoding.document_length, precision, encoding.batch_size, device)

    @cached_property
    def encoding_precision(self) -> Resolved:
        """Precision in which texts are encoded; the first process decides, for others may run on other machines."""
        return self.processes.decide(lambda: self._resolved(self.experiment.encoding.precision))

    @cached_property
    def training_precision(self) -> Resolved:
        """Precision in which students are trained, as the first process decides."""
        return self.processes.decide(lambda: self._resolved(self.experiment.training.precision))

    def search_precision(self) -> Resolved:
        """Precision in which scores are bounded; it changes no result, so each process may find its own."""
        return self._resolved(self.experiment.retrieval.precision)

    def _resolved(self, wanted: str) -> Resolved:
        return resolve_precision(wanted, self.cache.root / "machines", self.progress.say)
