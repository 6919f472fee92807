"""What a search engine is, and the two that score without a structure: every document, or each topic's candidates.

`config.retrieval.ENGINES` names the engines and the classes that search.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from optical_cli.artifacts.document_index import DocumentIndex
from optical_cli.config.retrieval import Retrieval
from optical_cli.encoder.precision import Resolved
from optical_cli.progress import Advance, Progress
from optical_cli.retrieve.maxima_numba import Float32, Int64
from optical_cli.retrieve.maxsim import MaxSim

Found = tuple[Int64, Float32]
"""Numbers and exact scores of some documents, in no order."""


class ExhaustiveSearch(Protocol):
    """MaxSim over every document, by this process or by workers."""

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """For each topic its best documents, with all that tie with the last; `advance` counts scores."""
        ...


@dataclass(frozen=True)
class SearchInputs:
    """What an engine is opened with.

    Attributes:
        documents: the index.
        query_ids: of all topics.
        settings: of the search.
        precision: of matrix products that only bound scores.
        maxsim: scores in this process.
        exhaustive: searches every document, here or by workers.
        candidates: document ids by query id, if each topic is to be ranked among its own.
        structure: the folder that the engine's `Structure.build` filled, if it has one.
    """

    documents: DocumentIndex
    query_ids: Collection[str]
    settings: Retrieval
    precision: Resolved
    maxsim: MaxSim
    exhaustive: ExhaustiveSearch
    candidates: Mapping[str, Sequence[str]] | None
    structure: Path | None


class Engine(Protocol):
    """A way to find the best documents of topics.

    Attributes:
        unit: what its work is counted in.
    """

    unit: str

    def __init__(self, inputs: SearchInputs) -> None: ...

    def total(self, query_ids: Iterable[str]) -> int:
        """Work of searching some topics, in units."""
        ...

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """For each topic, (tokens, dimensions) float32, documents with the best among them."""
        ...

    def health(self, progress: Progress) -> dict[str, Any]:
        """Facts for the manifest of the run, once all topics were searched."""
        ...


class ExactEngine:
    """MaxSim over every document."""

    unit = "scores"

    def __init__(self, inputs: SearchInputs) -> None:
        self._inputs = inputs

    def total(self, query_ids: Iterable[str]) -> int:
        """Scores of some topics."""
        return len(self._inputs.documents.store) * sum(1 for _ in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:  # noqa: ARG002
        """The best documents of topics, with all that tie with the last."""
        return self._inputs.exhaustive.best(queries, self._inputs.settings.depth, advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """The precision in which scores were bounded."""
        return {"search_precision": self._inputs.precision}


class CandidateEngine:
    """MaxSim over each topic's own candidates; topics without any are not searched."""

    unit = "scores"

    def __init__(self, inputs: SearchInputs) -> None:
        number = {doc_id: n for n, doc_id in enumerate(inputs.documents.doc_ids)}
        candidates = inputs.candidates or {}
        self._own = {query_id: np.array([number[doc_id] for doc_id in own]) for query_id, own in candidates.items()}
        self._maxsim = inputs.maxsim
        self._left = len(inputs.query_ids)

    def total(self, query_ids: Iterable[str]) -> int:
        """Scores of some topics."""
        return sum(len(self._own[query_id]) for query_id in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """All candidates of topics."""
        self._left -= len(query_ids)
        return self._maxsim.scores(queries, [self._own[query_id] for query_id in query_ids], advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """The number of topics without candidates."""
        return {"topics_without_candidates": self._left}
