"""The corpus of a pair: all documents of its collection, or those that its corpus mode takes of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optical_cli.artifacts.run import read_run
from optical_cli.data.collections import DocumentSource
from optical_cli.data.documents import Document, pooled_ids
from optical_cli.errors import DataError
from optical_cli.pipeline.sources import Sources


@dataclass(frozen=True)
class Corpus:
    """The documents a pair is searched in.

    Attributes:
        source: the whole collection.
        ids: those that are taken; None for all.
        health: counts for the manifest.
    """

    source: DocumentSource
    ids: set[str] | None
    health: dict[str, Any]

    @property
    def count(self) -> int | None:
        """How many there are, if it is known before they are read."""
        return self.source.count() if self.ids is None else len(self.ids)

    def documents(self) -> Iterator[Document]:
        """Stream them, in the order of the collection."""
        return (doc for doc in self.source.documents() if self.ids is None or doc.doc_id in self.ids)


def corpus_of(sources: Sources, pair: str, run: Path | None = None) -> Corpus:
    """The documents that a pair is searched in.

    Args:
        sources: of the experiment.
        pair: one of its pairs.
        run: the file that has the pair's candidates, if these are its corpus.

    Raises:
        DataError: a candidate is not in the collection.
    """
    settings = sources.experiment.pairs[pair]
    if settings.corpus == "full":
        return Corpus(sources.documents(pair), None, {})
    return _pool(sources, pair) if run is None else _candidates(sources, pair, run)


def candidates_of(sources: Sources, pair: str, run: Path) -> dict[str, list[str]]:
    """The candidates of each topic that has some, best first.

    Args:
        sources: of the experiment.
        pair: whose topics they are.
        run: the file that has them.

    Raises:
        DataError: the file is no run, or has none of the topics.
    """
    held, topics = read_run(run), sources.topics(pair)
    found = {query_id: [doc_id for doc_id, _ in held[query_id]] for query_id in topics.topics() if query_id in held}
    if not found:
        raise DataError(
            f"{run}: has candidates for none of the topics of {topics.name}, but for such as "
            f"{next(iter(held), 'none')!r}; a run of these topics expected"
        )
    return found


def _candidates(sources: Sources, pair: str, run: Path) -> Corpus:
    """The documents that are a candidate of any topic."""
    source = sources.documents(pair)
    wanted = {doc_id for doc_ids in candidates_of(sources, pair, run).values() for doc_id in doc_ids}
    if missing := wanted.difference(doc.doc_id for doc in source.documents()):
        raise DataError(
            f"{run}: {len(missing)} of {len(wanted)} candidates are not in {source.name}, such as "
            f"{min(missing)!r}; a run over this collection expected"
        )
    return Corpus(source, wanted, {})


def _pool(sources: Sources, pair: str) -> Corpus:
    """Every judged document, and others drawn at random."""
    settings, source = sources.experiment.pairs[pair], sources.documents(pair)
    judged = {doc_id for grades in sources.judgements(pair).judgements().values() for doc_id in grades}
    ids = (doc.doc_id for doc in source.documents())
    pool = pooled_ids(ids, judged, settings.pool_size, settings.pool_seed)
    return Corpus(source, pool.ids, {"judged_not_in_collection": len(pool.missing_judged)})
