"""A run: for each topic the documents with the highest MaxSim."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.artifacts.document_index import DocumentIndex
from optical_cli.artifacts.run import Ranking, rank, write_run
from optical_cli.encoder.encode import CHUNK_BATCHES, encode_texts, open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve.maxima_numba import Int64
from optical_cli.retrieve.maxsim import MaxSim

RUN = "run.trec"


def search(
    topics: Mapping[str, str],
    encoder: Path,
    index: Path,
    folder: Path,
    *,
    depth: int,
    memory: int,
    precision: Resolved,
    tag: str,
    setup: EncoderSetup,
    progress: Progress,
    candidates: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Search every topic and write a TREC run file; topics are encoded and written a few thousand at a time.

    Args:
        topics: texts by query id.
        encoder: the model folder of the query side.
        index: an index folder.
        folder: receives the run.
        depth: documents kept for a topic.
        memory: bytes the search may take, the index's own pages left out.
        precision: of the search's matrix products; the run is the same in either.
        tag: the run's name.
        setup: how texts are encoded.
        progress: hears of the scores.
        candidates: documents by query id, if each topic is to be ranked among its own; topics without any are not
            searched.

    Returns:
        counts of topics and documents, for the manifest; of topics without candidates, if there are candidates.

    Raises:
        DataError: a topic has no token to score, or query and document embeddings do not fit together.
        CacheError: the index is damaged.
    """
    documents = DocumentIndex.open(index)
    model = open_encoder(encoder, setup)
    asked, own = topics, None
    scores = len(topics) * len(documents.store)
    if candidates is not None:
        asked = {query_id: text for query_id, text in topics.items() if query_id in candidates}
        own = _numbers(documents.doc_ids, candidates)
        scores = sum(len(own[query_id]) for query_id in asked)
    maxsim = MaxSim(documents.store, memory=memory, precision=precision, device=setup.device)
    with progress.task("retrieve", scores, "scores") as advance:

        def rankings() -> Iterator[tuple[str, Ranking]]:
            for query_ids, queries in _encoded(asked, model, setup.batch_size):
                _check_dimensions(queries[0].shape[1], documents.store.tokens.shape[1])
                found = (
                    maxsim.best(queries, depth, advance)
                    if own is None
                    else maxsim.scores(queries, [own[query_id] for query_id in query_ids], advance)
                )
                for query_id, (numbers, scores) in zip(query_ids, found, strict=True):
                    ids = (documents.doc_ids[number] for number in numbers)
                    yield query_id, rank(zip(ids, map(float, scores), strict=True), depth)

        write_run(folder / RUN, rankings(), tag)
    counts = {"topics": len(topics), "documents": len(documents.store)}
    if own is None:
        return {**counts, "search_precision": precision}
    return {**counts, "topics_without_candidates": len(topics) - len(asked)}


def _numbers(doc_ids: Sequence[str], candidates: Mapping[str, Sequence[str]]) -> dict[str, Int64]:
    """Where each topic's candidates stand in the index."""
    number = {doc_id: n for n, doc_id in enumerate(doc_ids)}
    return {query_id: np.array([number[doc_id] for doc_id in own]) for query_id, own in candidates.items()}


def _encoded(
    topics: Mapping[str, str], model: MultiVectorEncoder, batch_size: int
) -> Iterator[tuple[Sequence[str], Sequence[torch.Tensor]]]:
    """Ids and tokens of some thousand topics at a time: as many whatever the memory, for the sake of the last bits."""
    waiting = iter(topics.items())
    while chunk := list(islice(waiting, batch_size * CHUNK_BATCHES)):
        query_ids, texts = zip(*chunk, strict=True)
        yield query_ids, encode_texts(model, texts, "query", batch_size)


def _check_dimensions(query: int, document: int) -> None:
    if query != document:
        raise DataError(
            f"queries have {query} dimensions and documents {document}: they come from encoders that share no space"
        )
