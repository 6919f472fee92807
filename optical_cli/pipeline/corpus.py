"""Corpus modes: the documents of a collection that a pair searches, and their part of the keys.

To add a mode, add a row to `CORPUS_MODES` in `config/corpus.py`, and here a class and its row of `MODES`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optical_cli.artifacts.run import read_run
from optical_cli.config.baselines import Analyzer
from optical_cli.config.corpus import CANDIDATES, CORPUS_MODES, FULL, HARD_NEGATIVES, POOLED
from optical_cli.config.experiment import Pair
from optical_cli.data.collections import DocumentSource
from optical_cli.data.documents import Document, pooled_ids
from optical_cli.errors import DataError
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Folders, Step


@dataclass(frozen=True)
class Corpus:
    """The documents of a collection to search (`ids`; None for all of them), and counts for the manifest."""

    source: DocumentSource
    ids: set[str] | None = None
    health: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """Number of documents; None if it is unknown before they are read."""
        return self.source.count() if self.ids is None else len(self.ids)

    def documents(self) -> Iterator[Document]:
        """Stream the documents in the order of the collection."""
        return (doc for doc in self.source.documents() if self.ids is None or doc.doc_id in self.ids)


@dataclass(frozen=True)
class FullCorpus:
    """The corpus mode `full`: the whole collection. Base class of the other modes.

    Attributes:
        bm25_step: returns the step of a BM25 run over the whole collection.
    """

    sources: Sources
    pair: str
    bm25_step: Callable[[Analyzer], Step]

    @property
    def settings(self) -> Pair:
        """The pair's section of the experiment."""
        return self.sources.experiment.pairs[self.pair]

    @property
    def label(self) -> str:
        """Name in labels, such as `full`."""
        return CORPUS_MODES[FULL].label

    @property
    def material(self) -> dict[str, Any]:
        """Key material of indexes and runs, besides the fingerprint of the collection."""
        return {"mode": FULL}

    @property
    def identity(self) -> list[Any]:
        """Settings that must be equal for two runs to be comparable, besides collection, topics and judgements."""
        return [self.label, None]

    @property
    def inputs(self) -> dict[str, Step]:
        """Steps whose artifacts select the documents."""
        return {}

    def read(self, _folders: Folders) -> Corpus:
        """Select the documents, given the folders of `inputs`; DataError if the collection lacks one of them."""
        return Corpus(self.sources.documents(self.pair))

    def bm25_corpus(self, folders: Folders) -> Corpus:
        """Return the documents that BM25's document frequencies are counted over."""
        return self.read(folders)

    def candidates(self, _folders: Folders) -> dict[str, list[str]] | None:
        """Return the documents that each topic ranks, best first, by query id; None if topics rank all documents."""
        return None

    def upper_bound(self, collection: int | None) -> int | None:
        """Return an upper bound of the number of documents, given that of the collection; None if unknown."""
        return collection


class HardNegativesCorpus(FullCorpus):
    """The corpus mode `hard_negatives`: the whole of a collection that others made of hard negatives."""

    @property
    def label(self) -> str:
        """Name in labels."""
        return CORPUS_MODES[HARD_NEGATIVES].label

    @property
    def material(self) -> dict[str, Any]:
        """Key material: the mode, which marks runs."""
        return {"mode": HARD_NEGATIVES}


class PooledCorpus(FullCorpus):
    """The corpus mode `pooled`: every judged document, and others drawn at random."""

    @property
    def label(self) -> str:
        """Name in labels, such as `pooled 5000`."""
        return self.settings.corpus_name

    @property
    def material(self) -> dict[str, Any]:
        """Key material: size and seed of the sample, and the judgements."""
        qrels = self.sources.fingerprint(self.sources.judgements(self.pair))
        return {"mode": POOLED, "size": self.settings.pool_size, "seed": self.settings.pool_seed, "qrels": qrels}

    @property
    def identity(self) -> list[Any]:
        """Size and seed of the sample."""
        return [self.label, self.settings.pool_seed]

    def read(self, _folders: Folders) -> Corpus:
        """Select the judged documents and the sample, and count judged documents that the collection lacks."""
        source = self.sources.documents(self.pair)
        doc_ids, judged = (doc.doc_id for doc in source.documents()), self._judged()
        ids = pooled_ids(doc_ids, judged, self.settings.pool_size, self.settings.pool_seed)
        return Corpus(source, ids, {"judged_not_in_collection": len(judged - ids)})

    def upper_bound(self, collection: int | None) -> int | None:
        """Return the number of judged documents plus the size of the sample."""
        selected = self.settings.pool_size + len(self._judged())
        return selected if collection is None else min(selected, collection)

    def _judged(self) -> set[str]:
        return {doc_id for grades in self.sources.judgements(self.pair).judgements().values() for doc_id in grades}


class CandidateCorpus(FullCorpus):
    """The corpus mode `candidates`: each topic ranks its documents of a TREC run file, or of a BM25 run."""

    @property
    def label(self) -> str:
        """Name in labels, such as `candidates of bm25`."""
        return self.settings.corpus_name

    @property
    def material(self) -> dict[str, Any]:
        """Key material: the content of the run file and of the topics, or the key of the BM25 run."""
        if file := self.sources.candidate_run(self.pair):
            topics = self.sources.fingerprint(self.sources.topics(self.pair))
            return {"mode": CANDIDATES, "run": self.sources.fingerprint(file), "topics": topics}
        return {"mode": CANDIDATES, "run": self.inputs["candidates"].key.digest}

    @property
    def identity(self) -> list[Any]:
        """The content of the run, whatever its name."""
        return [CANDIDATES, self.material["run"]]

    @property
    def inputs(self) -> dict[str, Step]:
        """The BM25 run, if the candidates come from one."""
        x = self.sources.experiment
        analyzer = x.bm25.analyzer_of(self.settings.candidates or "")
        return {"candidates": self.bm25_step(analyzer)} if analyzer else {}

    def read(self, folders: Folders) -> Corpus:
        """Select the documents that are a candidate of any topic."""
        source, ids = self.sources.documents(self.pair), self._candidate_ids(folders)
        if missing := ids.difference(doc.doc_id for doc in source.documents()):
            raise DataError(
                f"{self._run(folders)}: {len(missing)} of {len(ids)} candidates are not in {source.name}, such as "
                f"{min(missing)!r}; expected a run over this collection"
            )
        return Corpus(source, ids)

    def bm25_corpus(self, _folders: Folders) -> Corpus:
        """Return the whole collection."""
        return Corpus(self.sources.documents(self.pair))

    def candidates(self, folders: Folders) -> dict[str, list[str]]:
        """Return the candidates of each topic that has any, best first.

        Raises:
            DataError: the file is not a run, or has no candidates for any of the topics.
        """
        path, topics = self._run(folders), self.sources.topics(self.pair)
        run = read_run(path)
        found = {query_id: [doc_id for doc_id, _ in run[query_id]] for query_id in topics.topics() if query_id in run}
        if not found:
            raise DataError(
                f"{path}: expected candidates for the topics of {topics.name}, found other topics only, such as "
                f"{next(iter(run), 'none')!r}; name a run of these topics"
            )
        return found

    def upper_bound(self, collection: int | None) -> int | None:
        """Return the number of candidates in a run file, or topics times depth of a BM25 run."""
        if self.sources.candidate_run(self.pair):
            selected = len(self._candidate_ids({}))
        else:
            selected = len(self.sources.topics(self.pair).topics()) * self.sources.experiment.retrieval.depth
        return selected if collection is None else min(selected, collection)

    def _candidate_ids(self, folders: Folders) -> set[str]:
        return {doc_id for doc_ids in self.candidates(folders).values() for doc_id in doc_ids}

    def _run(self, folders: Folders) -> Path:
        file = self.sources.candidate_run(self.pair)
        return folders["candidates"] / "run.trec" if file is None else file.path


MODES = {
    FULL: FullCorpus,
    POOLED: PooledCorpus,
    HARD_NEGATIVES: HardNegativesCorpus,
    CANDIDATES: CandidateCorpus,
}
