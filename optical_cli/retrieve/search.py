"""A run: for each topic the documents with the highest MaxSim."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from optical_cli.artifacts.indexes import DocumentIndex
from optical_cli.artifacts.run import Ranking, write_run
from optical_cli.config.engines import SearchEngine
from optical_cli.config.retrieval import Retrieval
from optical_cli.encoder.encode import chunks, encode_texts, open_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup
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
    """Search every topic, write a TREC run file, and return facts for the manifest.

    Topics are encoded and written in chunks of a few thousand, the same ones whatever the memory, and so with the same
    last bits.

    Args:
        topics: texts by query id.
        encoder: the model folder of the query side.
        precision: of matrix products that only bound scores; the run is the same in either.
        candidates: document ids by query id; topics without any are not searched.
        structure: the folder of the engine's structure.
        open_exact: searches every document in place of this process, with the same run.

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
            for chunk in chunks(asked.items(), setup.batch_size):
                query_ids, texts = zip(*chunk, strict=True)
                queries = encode_texts(model, texts, "query", setup.batch_size)
                if queries[0].shape[1] != documents.store.dimensions:
                    raise DataError(
                        f"queries have {queries[0].shape[1]} dimensions and documents {documents.store.dimensions}: "
                        "they come from encoders that share no space"
                    )
                found = searching.best(query_ids, queries, advance)
                yield from zip(query_ids, map(searching.ranking, found), strict=True)

        write_run(folder / RUN, rankings(), tag)
    return {"topics": len(topics), "documents": len(documents.store), **searching.health(progress)}
