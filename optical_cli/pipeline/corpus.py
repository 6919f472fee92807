"""Corpus modes: which documents of its collection a pair is searched in, and what of that belongs in keys.

A mode is a class with a row in `config/corpus.py`. It is made with all that decides its documents, so that none can be
asked for without.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optical_cli.artifacts.run import read_run
from optical_cli.config.baselines import Analyzer
from optical_cli.config.corpus import CANDIDATES, CORPUS_MODES, FULL, POOLED
from optical_cli.config.experiment import Pair
from optical_cli.data.collections import DocumentSource
from optical_cli.data.documents import Document, pooled_ids
from optical_cli.errors import DataError
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Folders, Step


@dataclass(frozen=True)
class Corpus:
    """The documents of a collection that are searched, all if `ids` is None, and counts for the manifest."""

    source: DocumentSource
    ids: set[str] | None = None
    health: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        """Number of documents; None if only reading them would tell."""
        return self.source.count() if self.ids is None else len(self.ids)

    def documents(self) -> Iterator[Document]:
        """Stream the documents in the order of the collection."""
        return (doc for doc in self.source.documents() if self.ids is None or doc.doc_id in self.ids)


@dataclass(frozen=True)
class FullCorpus:
    """The whole collection; the base of the other modes.

    Attributes:
        first_stage: makes the step of a BM25 run over the whole collection.
    """

    sources: Sources
    pair: str
    first_stage: Callable[[Analyzer], Step]

    @property
    def settings(self) -> Pair:
        """The pair's section of the experiment."""
        return self.sources.experiment.pairs[self.pair]

    @property
    def label(self) -> str:
        """What labels call it: `full`."""
        return CORPUS_MODES[FULL].label

    @property
    def material(self) -> dict[str, Any]:
        """What of the mode belongs in the keys of indexes and runs, beside the fingerprint of the collection."""
        return {"mode": FULL}

    @property
    def identity(self) -> list[Any]:
        """What two runs must share to compare, beside collection, topics and judgements."""
        return [self.label, None]

    @property
    def inputs(self) -> dict[str, Step]:
        """The steps whose artifacts decide the documents."""
        return {}

    def read(self, _folders: Folders) -> Corpus:
        """The documents, given the folders of `inputs`; DataError if the collection lacks one that has to be there."""
        return Corpus(self.sources.documents(self.pair))

    def counted(self, folders: Folders) -> Corpus:
        """The documents in which BM25 counts how rare a word is."""
        return self.read(folders)

    def candidates(self, _folders: Folders) -> dict[str, list[str]] | None:
        """By query id, the only documents that a topic is ranked among, best first; None if it is ranked among all."""
        return None

    def most(self, collection: int | None) -> int | None:
        """Upper bound of the number of documents, of a collection of so many; None if unknown."""
        return collection


class PooledCorpus(FullCorpus):
    """Every judged document, and others drawn at random."""

    @property
    def label(self) -> str:
        """`pooled 5000`."""
        return self.settings.corpus_name

    @property
    def material(self) -> dict[str, Any]:
        """Size and seed of the sample, and the judgements."""
        qrels = self.sources.fingerprint(self.sources.judgements(self.pair))
        return {"mode": POOLED, "size": self.settings.pool_size, "seed": self.settings.pool_seed, "qrels": qrels}

    @property
    def identity(self) -> list[Any]:
        """Size and seed of the sample; the judgements are compared anyway."""
        return [self.label, self.settings.pool_seed]

    def read(self, _folders: Folders) -> Corpus:
        """Judged documents that the collection lacks are counted."""
        source = self.sources.documents(self.pair)
        held, judged = (doc.doc_id for doc in source.documents()), self._judged()
        ids = pooled_ids(held, judged, self.settings.pool_size, self.settings.pool_seed)
        return Corpus(source, ids, {"judged_not_in_collection": len(judged - ids)})

    def most(self, collection: int | None) -> int | None:
        """The judged documents and the sample."""
        wanted = self.settings.pool_size + len(self._judged())
        return wanted if collection is None else min(wanted, collection)

    def _judged(self) -> set[str]:
        return {doc_id for grades in self.sources.judgements(self.pair).judgements().values() for doc_id in grades}


class CandidateCorpus(FullCorpus):
    """The documents of a run, each topic among its own: a TREC run file, or a search of the collection by BM25."""

    @property
    def label(self) -> str:
        """`candidates of bm25`."""
        return self.settings.corpus_name

    @property
    def material(self) -> dict[str, Any]:
        """Content of the run file and of the topics, or the key of the BM25 run."""
        if file := self.sources.candidate_run(self.pair):
            topics = self.sources.fingerprint(self.sources.topics(self.pair))
            return {"mode": CANDIDATES, "run": self.sources.fingerprint(file), "topics": topics}
        return {"mode": CANDIDATES, "run": self.inputs["candidates"].key.digest}

    @property
    def identity(self) -> list[Any]:
        """The content of the run, not its name."""
        return [CANDIDATES, self.material["run"]]

    @property
    def inputs(self) -> dict[str, Step]:
        """The BM25 run, if the candidates are its."""
        x = self.sources.experiment
        analyzer = x.bm25.analyzer_of(self.settings.candidates or "")
        return {"candidates": self.first_stage(analyzer)} if analyzer else {}

    def read(self, folders: Folders) -> Corpus:
        """The documents that are a candidate of any topic."""
        source, wanted = self.sources.documents(self.pair), self._wanted(folders)
        if missing := wanted.difference(doc.doc_id for doc in source.documents()):
            raise DataError(
                f"{self._run(folders)}: {len(missing)} of {len(wanted)} candidates are not in {source.name}, such as "
                f"{min(missing)!r}; a run over this collection expected"
            )
        return Corpus(source, wanted)

    def counted(self, _folders: Folders) -> Corpus:
        """The whole collection."""
        return Corpus(self.sources.documents(self.pair))

    def candidates(self, folders: Folders) -> dict[str, list[str]]:
        """The candidates of each topic that has some.

        Raises:
            DataError: the file is no run, or has no candidates for any of the topics.
        """
        path, topics = self._run(folders), self.sources.topics(self.pair)
        run = read_run(path)
        found = {query_id: [doc_id for doc_id, _ in run[query_id]] for query_id in topics.topics() if query_id in run}
        if not found:
            raise DataError(
                f"{path}: has candidates for none of the topics of {topics.name}, but for such as "
                f"{next(iter(run), 'none')!r}; a run of these topics expected"
            )
        return found

    def most(self, collection: int | None) -> int | None:
        """The candidates of a file; those of a search are not known before it, and no more than its depth a topic."""
        if self.sources.candidate_run(self.pair):
            wanted = len(self._wanted({}))
        else:
            wanted = len(self.sources.topics(self.pair).topics()) * self.sources.experiment.retrieval.depth
        return wanted if collection is None else min(wanted, collection)

    def _wanted(self, folders: Folders) -> set[str]:
        return {doc_id for doc_ids in self.candidates(folders).values() for doc_id in doc_ids}

    def _run(self, folders: Folders) -> Path:
        file = self.sources.candidate_run(self.pair)
        return folders["candidates"] / "run.trec" if file is None else file.path


MODES = {FULL: FullCorpus, POOLED: PooledCorpus, CANDIDATES: CandidateCorpus}
