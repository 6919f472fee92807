"""A run: for each topic the documents with the highest MaxSim."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from optical_cli.artifacts.document_index import DocumentIndex
from optical_cli.artifacts.run import Ranking, rank, write_run
from optical_cli.encoder.encode import encode_texts, open_encoder
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve.maxsim import Float32, scores_by_block

RUN = "run.trec"
TIE_MARGIN = 1e-4
"""Scores this near to the last one kept are kept too until they are rounded as the run file holds them."""


def search(
    topics: Mapping[str, str],
    encoder: Path,
    index: Path,
    folder: Path,
    *,
    depth: int,
    memory: int,
    tag: str,
    setup: EncoderSetup,
    progress: Progress,
) -> dict[str, Any]:
    """Search every topic and write a TREC run file.

    Args:
        topics: texts by query id.
        encoder: the model folder of the query side.
        index: an index folder.
        folder: receives the run.
        depth: documents kept for a topic.
        memory: bytes a block of the search may take.
        tag: the run's name.
        setup: how texts are encoded.

    Returns:
        counts of topics and documents, for the manifest.

    Raises:
        DataError: a topic has no token to score, or query and document embeddings do not fit together.
    """
    documents = DocumentIndex.open(index)
    model = open_encoder(encoder, setup)
    queries = encode_texts(model, list(topics.values()), "query", setup.batch_size)
    if queries[0].shape[1] != documents.store.tokens.shape[1]:
        raise DataError(
            f"queries have {queries[0].shape[1]} dimensions and documents {documents.store.tokens.shape[1]}: "
            "they come from encoders that share no space"
        )
    best = _Best(len(queries), depth)
    with progress.task("retrieve", len(documents.store), "documents") as advance:
        for first, scores in scores_by_block(queries, documents.store, memory, setup.device, advance):
            best.add(first, scores)
    rankings = ((query_id, best.ranking(row, documents.doc_ids)) for row, query_id in enumerate(topics))
    write_run(folder / RUN, rankings, tag)
    return {"topics": len(topics), "documents": len(documents.store)}


class _Best:
    """The best documents of each topic so far, and those too near to the last of them to call."""

    def __init__(self, topics: int, depth: int) -> None:
        self._depth = depth
        self._kept: list[tuple[Any, Float32]] = [
            (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)) for _ in range(topics)
        ]

    def add(self, first: int, scores: Float32) -> None:
        """Take in a block: (documents, topics) scores of documents from number `first`."""
        numbers = np.arange(first, first + len(scores))
        for topic, (kept_numbers, kept_scores) in enumerate(self._kept):
            n = np.concatenate([kept_numbers, numbers])
            s = np.concatenate([kept_scores, scores[:, topic]])
            if len(s) > self._depth:
                last = np.partition(s, -self._depth)[-self._depth]
                stay = ~(s < last - TIE_MARGIN)  # a nan stays, and is refused when it is written
                n, s = n[stay], s[stay]
            self._kept[topic] = (n, s)

    def ranking(self, topic: int, doc_ids: list[str]) -> Ranking:
        """The documents of a topic in the order of a run file."""
        numbers, scores = self._kept[topic]
        return rank(((doc_ids[n], float(s)) for n, s in zip(numbers, scores, strict=True)), self._depth)
