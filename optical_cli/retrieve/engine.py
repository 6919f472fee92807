"""The interface of search engines, and the exact engines: over every document, and over each topic's candidates.

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
"""Numbers and exact scores of documents found for a topic, in no order."""


class ExhaustiveSearch(Protocol):
    """MaxSim over every document, in this process or by workers."""

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """Find the best documents of each topic, with all that tie with the last; `advance` counts scores."""


@dataclass(frozen=True)
class SearchInputs:
    """Inputs of an engine.

    Attributes:
        documents: the index.
        query_ids: all topics of the search.
        settings: the section `retrieval` of the experiment file.
        precision: precision of matrix products, which only bound scores.
        maxsim: MaxSim in this process.
        exhaustive: MaxSim over every document, in this process or by workers.
        candidates: document ids by query id, to rank only these; None to rank all documents.
        structure: folder that the engine's `Structure.build` has filled; None for an engine without one.
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
    """A way to find the best documents of topics. Progress is counted in `unit`."""

    unit = "topics"

    def __init__(self, inputs: SearchInputs) -> None:
        self.inputs = inputs

    def total(self, query_ids: Collection[str]) -> int:
        """Return the number of units in the search of some topics."""
        return len(query_ids)

    @abstractmethod
    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """Find documents for each topic, among them the best ones.

        Args:
            query_ids: ids of the topics.
            queries: (tokens, dimensions) float32 of each topic.
            advance: called with the number of units done.
        """

    def ranking(self, found: Found) -> Ranking:
        """Rank the documents found for a topic as in a run file, cut at the depth."""
        ids = (self.inputs.documents.doc_ids[number] for number in found[0])
        return rank(zip(ids, map(float, found[1]), strict=True), self.inputs.settings.depth)

    @abstractmethod
    def health(self, progress: Progress) -> dict[str, Any]:
        """Return facts for the manifest of the run, after all topics were searched."""


class ExactEngine(Engine):
    """MaxSim over every document."""

    unit = "scores"

    def total(self, query_ids: Collection[str]) -> int:
        """Return the number of scores: documents times topics."""
        return len(self.inputs.documents.store) * len(query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:  # noqa: ARG002
        """Find the best documents of each topic, with all that tie with the last."""
        return self.inputs.exhaustive.best(queries, self.inputs.settings.depth, advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """Return the precision of the products that bound scores."""
        return {"search_precision": self.inputs.precision}


class CandidateEngine(Engine):
    """MaxSim over the candidates of each topic. Topics without candidates are not searched."""

    unit = "scores"

    def __init__(self, inputs: SearchInputs) -> None:
        super().__init__(inputs)
        number = {doc_id: n for n, doc_id in enumerate(inputs.documents.doc_ids)}
        candidates = inputs.candidates or {}
        self._candidates = {
            query_id: np.array([number[doc_id] for doc_id in doc_ids]) for query_id, doc_ids in candidates.items()
        }
        self._not_searched = len(inputs.query_ids)

    def total(self, query_ids: Collection[str]) -> int:
        """Return the number of candidates of some topics."""
        return sum(len(self._candidates[query_id]) for query_id in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """Score all candidates of each topic."""
        self._not_searched -= len(query_ids)
        return self.inputs.maxsim.scores(queries, [self._candidates[query_id] for query_id in query_ids], advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """Return the number of topics without candidates."""
        return {"topics_without_candidates": self._not_searched}
