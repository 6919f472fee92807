"""Which documents are scored for a topic: all of them, its own candidates, or those that are promising."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from optical_cli.artifacts.document_index import DocumentIndex
from optical_cli.artifacts.quantized_index import QuantizedIndex
from optical_cli.artifacts.run import Ranking, rank
from optical_cli.config.retrieval import Retrieval
from optical_cli.errors import CacheError
from optical_cli.progress import Advance, Progress
from optical_cli.retrieve.approximate import ApproximateMaxSim
from optical_cli.retrieve.maxima_numba import Float32, Int64
from optical_cli.retrieve.maxsim import MaxSim

Found = tuple[Int64, Float32]


class Engine(Protocol):
    """A way to find the best documents of topics.

    Attributes:
        unit: what its work is counted in.
    """

    unit: str

    def total(self, query_ids: Iterable[str]) -> int:
        """Units of work that some topics are."""
        ...

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """For each topic numbers and exact scores of documents, in no order, the best among them."""
        ...

    def health(self, progress: Progress) -> dict[str, Any]:
        """What the manifest of the run is to say, when all topics were searched."""
        ...


class Exact(Protocol):
    """MaxSim over every document, by this process or by workers."""

    def best(self, queries: Sequence[torch.Tensor], depth: int, advance: Advance) -> Iterator[Found]:
        """For each topic numbers and scores of its best documents, in no order, with all that tie with the last."""
        ...


class OfAll:
    """MaxSim over every document."""

    unit = "scores"

    def __init__(self, maxsim: Exact, documents: int, depth: int, precision: str) -> None:
        self._maxsim = maxsim
        self._documents = documents
        self._depth = depth
        self._precision = precision

    def total(self, query_ids: Iterable[str]) -> int:
        """Scores of some topics."""
        return self._documents * sum(1 for _ in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:  # noqa: ARG002
        """The best documents of topics, with all that tie with the last."""
        return self._maxsim.best(queries, self._depth, advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """In which precision scores were bounded."""
        return {"search_precision": self._precision}


class OfCandidates:
    """MaxSim over each topic's own documents."""

    unit = "scores"

    def __init__(
        self, maxsim: MaxSim, doc_ids: Sequence[str], candidates: Mapping[str, Sequence[str]], topics: int
    ) -> None:
        number = {doc_id: n for n, doc_id in enumerate(doc_ids)}
        self._maxsim = maxsim
        self._own = {query_id: np.array([number[doc_id] for doc_id in own]) for query_id, own in candidates.items()}
        self._topics = topics
        self._searched = 0

    def total(self, query_ids: Iterable[str]) -> int:
        """Scores of some topics."""
        return sum(len(self._own[query_id]) for query_id in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """The scores of the candidates of topics."""
        self._searched += len(query_ids)
        return self._maxsim.scores(queries, [self._own[query_id] for query_id in query_ids], advance)

    def health(self, progress: Progress) -> dict[str, Any]:  # noqa: ARG002
        """How many topics had none."""
        return {"topics_without_candidates": self._topics - self._searched}


@dataclass(frozen=True)
class Quantized:
    """What an approximate search has beside the index.

    Attributes:
        folder: the index, quantised.
        settings: lists that are looked into, documents that are rescored, topics that are checked.
    """

    folder: Path
    settings: Retrieval


class OfPromising:
    """MaxSim over the promising documents of each topic; of some topics over every document too, to compare.

    Raises:
        CacheError: the quantised index is another's.
    """

    unit = "topics"

    def __init__(
        self, documents: DocumentIndex, quantized: Quantized, maxsim: Exact, topics: Iterable[str],
        *, depth: int, memory: int,
    ) -> None:  # fmt: skip
        structure = QuantizedIndex.open(quantized.folder)
        if len(structure.documents) != documents.store.tokens:
            raise CacheError(
                f"{quantized.folder}: of {len(structure.documents)} tokens, and the index has "
                f"{documents.store.tokens}; `optical cache remove {quantized.folder.name}` and run again"
            )
        self._documents = documents
        how = quantized.settings.approximate
        self._approximate = ApproximateMaxSim(
            documents.store, structure, probes=how.probes, rescored=quantized.settings.rescored, memory=memory
        )
        self._maxsim = maxsim
        self._depth = depth
        query_ids = sorted(topics)
        chosen = np.random.default_rng(how.seed).permutation(len(query_ids))[: how.checked]
        self._to_check = {query_ids[number] for number in chosen}
        self._checked: list[tuple[torch.Tensor, Ranking]] = []

    def total(self, query_ids: Iterable[str]) -> int:
        """How many topics they are."""
        return sum(1 for _ in query_ids)

    def best(self, query_ids: Sequence[str], queries: Sequence[torch.Tensor], advance: Advance) -> Iterator[Found]:
        """The scores of the promising documents of topics."""
        found = self._approximate.best(queries, advance)
        for query_id, query, of_topic in zip(query_ids, queries, found, strict=True):
            if query_id in self._to_check:
                self._checked.append((query, self._ranked(of_topic)))
            yield of_topic

    def health(self, progress: Progress) -> dict[str, Any]:
        """The share of the exact results that was found, the mean over the topics that were checked."""
        queries = [query for query, _ in self._checked]
        health: dict[str, Any] = {"engine": "approximate", "checked_topics": len(queries)}
        if not queries:
            return health
        total = len(queries) * len(self._documents.store)
        with progress.task("check", total, "scores") as advance:
            exact = [self._ranked(found) for found in self._maxsim.best(queries, self._depth, advance)]
        pairs = zip(exact, (ranking for _, ranking in self._checked), strict=True)
        shares = [len({*dict(one)} & {*dict(other)}) / len(one) for one, other in pairs]
        return {**health, "overlap": float(np.mean(shares)), "least_overlap": min(shares)}

    def _ranked(self, found: Found) -> Ranking:
        numbers, scores = found
        ids = (self._documents.doc_ids[number] for number in numbers)
        return rank(zip(ids, map(float, scores), strict=True), self._depth)
