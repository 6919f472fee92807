"""What a search engine is, and the two that score without a structure: every document, or each topic's candidates.

The table of engines is in `config/engines.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import Ranking, rank
from optical_cli.artifacts.token_store import Float32, Int64
from optical_cli.config.retrieval import Retrieval
from optical_cli.encoder.precision import Resolved
from optical_cli.progress import Advance, Progress
from optical_cli.retrieve.maxsim import MaxSim

Found = tuple[Int64, Float32]
"""Numbers and exact scores of some documents, in no order."""


class ExhaustiveSearch(Protocol):
    """MaxSim over every document, by this process or by workers."""

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """For each topic its best documents, with all that tie with the last; `advance` counts scores."""


@dataclass(frozen=True)
class SearchInputs:
    """What an engine is opened with.

    Attributes:
        precision: of matrix products that only bound scores.
        exhaustive: the search of every document, here or by workers.
        candidates: document ids by query id, if each topic is ranked among its own.
        structure: the folder that the engine's `Structure.build` filled, if it has one.
    """

    documents: DocumentIndex
    query_ids: Collection[str]
    settings: Retrieval
    precision: Resolved
    maxsim: MaxSim
    exhaustive: ExhaustiveSearch
    candidates: Mapping[str, Sequence[str]] | None = None
    structure: Path | None = None


class Engine(ABC):
    """A way to find the best documents of topics, whose work is counted in its `unit`."""

    unit = "topics"

    def __init__(self, inputs: SearchInputs) -> None:
        self.inputs = inputs

    def total(self, query_ids: Collection[str]) -> int:
        """The units of searching some topics."""
        return len(query_ids)

    @abstractmethod
    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """For each topic, (tokens, dimensions) float32, documents with the best among them."""

    def ranking(self, found: Found) -> Ranking:
        """The documents found for a topic as a run has them."""
        ids = (self.inputs.documents.doc_ids[number] for number in found[0])
        return rank(zip(ids, map(float, found[1]), strict=True), self.inputs.settings.depth)

    @abstractmethod
    def health(self, progress: Progress) -> dict[str, Any]:
        """Facts for the manifest of the run, once all topics were searched."""


class ExactEngine(Engine):
    """MaxSim over every document."""

    unit = "scores"

    def total(self, query_ids: Collection[str]) -> int:
        """Documents times topics."""
        return len(self.inputs.documents.store) * len(query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:  # noqa: ARG002
        """The best documents of topics, with all that tie with the last."""
        return self.inputs.exhaustive.best(queries, self.inputs.settings.depth, advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """The precision in which scores were bounded."""
        return {"search_precision": self.inputs.precision}


class CandidateEngine(Engine):
    """MaxSim over each topic's own candidates; topics without any are not searched."""

    unit = "scores"

    def __init__(self, inputs: SearchInputs) -> None:
        super().__init__(inputs)
        number = {doc_id: n for n, doc_id in enumerate(inputs.documents.doc_ids)}
        candidates = inputs.candidates or {}
        self._own = {query_id: np.array([number[doc_id] for doc_id in own]) for query_id, own in candidates.items()}
        self._left = len(inputs.query_ids)

    def total(self, query_ids: Collection[str]) -> int:
        """Candidates of topics."""
        return sum(len(self._own[query_id]) for query_id in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """All candidates of topics."""
        self._left -= len(query_ids)
        return self.inputs.maxsim.scores(queries, [self._own[query_id] for query_id in query_ids], advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """The number of topics without candidates."""
        return {"topics_without_candidates": self._left}
