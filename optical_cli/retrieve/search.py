"""A run: for each topic the documents with the highest MaxSim."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.artifacts.document_index import DocumentIndex
from optical_cli.artifacts.run import Ranking, rank, write_run
from optical_cli.encoder.encode import encode_texts, open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import CHUNK_BATCHES, EncoderSetup
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve.engines import Engine, Exact, OfAll, OfCandidates, OfPromising, Quantized
from optical_cli.retrieve.maxsim import MaxSim

RUN = "run.trec"

OpenExact = Callable[..., Exact]
"""Opens an exact search in place of `MaxSim`: (index folder, its tokens, memory=, precision=, device=)."""


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
    quantized: Quantized | None = None,
    open_exact: OpenExact | None = None,
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
        progress: hears of the scores, or of the topics of an approximate search.
        candidates: documents by query id, if each topic is to be ranked among its own; topics without any are not
            searched.
        quantized: if the promising documents alone are to be scored.
        open_exact: searches every document in place of this process, with the same run; candidates and approximate
            searches stay in this process.

    Returns:
        counts of topics and documents, for the manifest; of topics without candidates, if there are candidates; of an
        approximate search, the share of the exact results that it found for the topics that were checked.

    Raises:
        DataError: a topic has no token to score, or query and document embeddings do not fit together.
        CacheError: the index is damaged.
    """
    documents = DocumentIndex.open(index)
    how: dict[str, Any] = {"memory": memory, "precision": precision, "device": setup.device}
    maxsim = MaxSim(documents.store, **how)
    exact: Exact = maxsim if open_exact is None else open_exact(index, documents.store, **how)
    engine: Engine = OfAll(exact, len(documents.store), depth, precision)
    if candidates is not None:
        engine = OfCandidates(maxsim, documents.doc_ids, candidates, len(topics))
    elif quantized is not None:
        engine = OfPromising(documents, quantized, exact, topics, depth=depth, memory=memory)
    model = open_encoder(encoder, setup)
    asked = {query_id: text for query_id, text in topics.items() if candidates is None or query_id in candidates}
    with progress.task("retrieve", engine.total(asked), engine.unit) as advance:

        def rankings() -> Iterator[tuple[str, Ranking]]:
            for query_ids, queries in _encoded(asked, model, setup.batch_size):
                _check_dimensions(queries[0].shape[1], documents.store.dimensions)
                found = engine.best(query_ids, queries, advance)
                for query_id, (numbers, scores) in zip(query_ids, found, strict=True):
                    ids = (documents.doc_ids[number] for number in numbers)
                    yield query_id, rank(zip(ids, map(float, scores), strict=True), depth)

        write_run(folder / RUN, rankings(), tag)
    return {"topics": len(topics), "documents": len(documents.store), **engine.health(progress)}


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
