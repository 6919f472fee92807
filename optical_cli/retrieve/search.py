"""Search an index by MaxSim, and write the run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import Ranking, write_run
from optical_cli.config.engines import SearchEngine
from optical_cli.config.retrieval import Retrieval
from optical_cli.encoder.encode import chunks, encode_texts
from optical_cli.encoder.open import open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve.engine import Engine, ExhaustiveSearch, SearchInputs
from optical_cli.retrieve.maxsim import MaxSim

RUN = "run.trec"

OpenExact = Callable[..., ExhaustiveSearch]
"""Opens an exact search that replaces `MaxSim`; called as (index folder, its tokens, memory=, precision=, device=)."""


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
    """Search every topic, write a TREC run file, and return facts for the manifest.

    Topics are encoded in chunks that do not depend on the memory, so that embeddings always have the same bits.

    Args:
        topics: texts by query id.
        encoder: folder of the encoder of the query side.
        index: folder of the index.
        folder: folder to write the run to.
        engine: row of the table of engines.
        settings: the section `retrieval` of the experiment file.
        precision: precision of matrix products, which only bound scores; it does not change the run.
        tag: tag of the run.
        setup: lengths, precision, batch size and device of the encoder.
        progress: where progress is reported.
        candidates: document ids by query id, to rank only these; None to rank all documents.
        structure: folder of the engine's structure; None for an engine without one.
        open_exact: opens the search of every document elsewhere; None to search in this process.

    Raises:
        DataError: a topic has no token that MaxSim scores, or queries and documents have different dimensions.
        CacheError: the index is damaged.
    """
    documents = DocumentIndex.open(index)
    how: dict[str, Any] = {"memory": settings.memory, "precision": precision, "device": setup.device}
    maxsim = MaxSim(documents.store, **how)
    exhaustive = open_exact(index, documents.store, **how) if open_exact else maxsim
    inputs = SearchInputs(documents, topics.keys(), settings, precision, maxsim, exhaustive, candidates, structure)
    opened: Engine = resolve_name(engine.search)(inputs)
    model = open_encoder(encoder, setup)
    searched = {query_id: text for query_id, text in topics.items() if candidates is None or query_id in candidates}
    with progress.task("retrieve", opened.total(searched), opened.unit) as advance:

        def rankings() -> Iterator[tuple[str, Ranking]]:
            for chunk in chunks(searched.items(), setup.batch_size):
                query_ids, texts = zip(*chunk, strict=True)
                queries = encode_texts(model, texts, "query", setup.batch_size)
                if queries[0].shape[1] != documents.store.dimensions:
                    raise DataError(
                        f"queries have {queries[0].shape[1]} dimensions and documents {documents.store.dimensions}; "
                        "encoders with the same embedding space expected"
                    )
                found = opened.best(query_ids, queries, advance)
                yield from zip(query_ids, map(opened.ranking, found), strict=True)

        write_run(folder / RUN, rankings(), tag)
    return {"topics": len(topics), "documents": len(documents.store), **opened.health(progress)}
