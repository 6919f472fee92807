"""The context of a pipeline: the experiment, its inputs, the cache, and the machines that compute."""

import os
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field, replace
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
"""Cells in the order they finish, each with a function that returns its scores or raises the cell's error.

The iteration raises OutOfTime or NoRoom if one of them stopped a cell, after the other running cells have finished.
"""


@dataclass(frozen=True)
class Remote:
    """Stages that run elsewhere, such as on a Ray cluster, with results that are equal to the last bit.

    Attributes:
        encode: encodes the documents of an index.
        open_exact: opens an index for exact search.
        cells: called with the pipeline, cells of a sweep and a function for messages. It makes the cells, and counts
            the artifacts in `pipeline.made`.
    """

    encode: "EncodeShards"
    open_exact: "OpenExact"
    cells: Callable[..., RemoteCells]


@dataclass(eq=False)
class Context:
    """What the steps of a pipeline share.

    Attributes:
        device: a torch device, or `auto`.
        progress: receives the progress, which is also noted in the cache for `optical status`.
        upstream: make missing inputs of a step; if False, raise CacheError for them.
        processes: the processes of a torchrun, which all run this pipeline. They train together; the first process
            does everything else.
        deadline: value of `time.monotonic()` at which a training stops; None for no limit.
        offline: the command that messages recommend for downloads, which are off; None if downloads are allowed.
        fetch: download inputs that are not on this machine. If False, placeholders take their place: steps that need
            them can be listed, but neither looked up nor made.
        remote: runs stages elsewhere; None if this process runs them.
        tokenizer_fits: statistics of the tokenizers that were measured so far, by student.
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
        # numba and torch share OpenMP: if ranx started it, torch would use other threads, and training give other bits
        os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")
        if self.offline is not None:  # read by the libraries that download
            os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
        self.progress = NotedProgress(self.progress, self.cache.notes)
        self.sources = Sources(self.experiment, self.cache.fingerprints, fetch=self.fetch)

    @property
    def lengths(self) -> dict[Side, int]:
        """Longest text in tokens, by side."""
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
    def student_setup(self) -> EncoderSetup:
        """How texts are encoded by a student, which gets back the tokens that were trimmed."""
        trimmed = self.experiment.student.vocabulary == "trim"
        whole = self.sources.model(self.sources.init).folder if trimmed else None
        return replace(self.setup, vocabulary=whole)

    @cached_property
    def encoding_precision(self) -> Resolved:
        """Number format of the encoding. The first process decides, because others may run on other machines."""
        return self.processes.decide(lambda: self._resolved(self.experiment.encoding.precision))

    @cached_property
    def training_precision(self) -> Resolved:
        """Number format of the training. The first process decides."""
        return self.processes.decide(lambda: self._resolved(self.experiment.training.precision))

    def search_precision(self) -> Resolved:
        """Return the number format of the search's matrix products. It changes no result, so processes may differ."""
        return self._resolved(self.experiment.retrieval.precision)

    def _resolved(self, wanted: str) -> Resolved:
        return resolve_precision(wanted, self.cache.root / "machines", self.progress.say)
