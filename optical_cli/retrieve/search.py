"""A run: for each topic the documents with the highest MaxSim."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from sentence_transformers import MultiVectorEncoder

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import Ranking, rank, write_run
from optical_cli.config.retrieval import Retrieval, SearchEngine
from optical_cli.encoder.encode import encode_texts, open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import CHUNK_BATCHES, EncoderSetup
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve.engine import Engine, ExhaustiveSearch, SearchInputs
from optical_cli.retrieve.maxsim import MaxSim

RUN = "run.trec"

OpenExact = Callable[..., ExhaustiveSearch]
"""Opens an exact search in place of `MaxSim`: (index folder, its tokens, memory=, precision=, device=)."""


def search(
    topics: Mapping[str, str],
    encoder: Path,
    index: Path,
    folder: Path,
    *,
    engine: SearchEngine,
    settings: Retrieval,
    precision: Resolved,
    tag: str,
    setup: EncoderSetup,
    progress: Progress,
    candidates: Mapping[str, Sequence[str]] | None = None,
    structure: Path | None = None,
    open_exact: OpenExact | None = None,
) -> dict[str, Any]:
    """Search every topic and write a TREC run file; topics are encoded and written a few thousand at a time.

    Args:
        topics: texts by query id.
        encoder: the model folder of the query side.
        index: an index folder.
        folder: receives the run.
        engine: a row of the table of engines.
        settings: of the search.
        precision: of matrix products that only bound scores; the run is the same in either.
        tag: the run's name.
        setup: of the encoder.
        progress: counts in the engine's unit.
        candidates: document ids by query id; topics without any are not searched.
        structure: the folder of the engine's structure.
        open_exact: searches every document in place of this process, with the same run.

    Returns:
        counts of topics and documents, and the engine's own facts, for the manifest.

    Raises:
        DataError: a topic has no token to score, or query and document embeddings do not fit together.
        CacheError: the index is damaged.
    """
    documents = DocumentIndex.open(index)
    how: dict[str, Any] = {"memory": settings.memory, "precision": precision, "device": setup.device}
    maxsim = MaxSim(documents.store, **how)
    exhaustive = open_exact(index, documents.store, **how) if open_exact else maxsim
    inputs = SearchInputs(documents, topics.keys(), settings, precision, maxsim, exhaustive, candidates, structure)
    searching: Engine = resolve_name(engine.search)(inputs)
    model = open_encoder(encoder, setup)
    asked = {query_id: text for query_id, text in topics.items() if candidates is None or query_id in candidates}
    with progress.task("retrieve", searching.total(asked), searching.unit) as advance:

        def rankings() -> Iterator[tuple[str, Ranking]]:
            for query_ids, queries in _encoded(asked, model, setup.batch_size):
                if queries[0].shape[1] != documents.store.dimensions:
                    raise DataError(
                        f"queries have {queries[0].shape[1]} dimensions and documents {documents.store.dimensions}: "
                        "they come from encoders that share no space"
                    )
                found = searching.best(query_ids, queries, advance)
                for query_id, (numbers, scores) in zip(query_ids, found, strict=True):
                    ids = (documents.doc_ids[number] for number in numbers)
                    yield query_id, rank(zip(ids, map(float, scores), strict=True), settings.depth)

        write_run(folder / RUN, rankings(), tag)
    return {"topics": len(topics), "documents": len(documents.store), **searching.health(progress)}


def _encoded(
    topics: Mapping[str, str], model: MultiVectorEncoder, batch_size: int
) -> Iterator[tuple[Sequence[str], Sequence[torch.Tensor]]]:
    """Ids and tokens of a few thousand topics at a time: the same chunks, and so last bits, whatever the memory."""
    waiting = iter(topics.items())
    while chunk := list(islice(waiting, batch_size * CHUNK_BATCHES)):
        query_ids, texts = zip(*chunk, strict=True)
        yield query_ids, encode_texts(model, texts, "query", batch_size)
