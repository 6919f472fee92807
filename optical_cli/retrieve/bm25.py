"""Search by BM25 (Robertson and Zaragoza 2009) in Lucene's variant, with bm25s.

bm25s (Lù 2024, arXiv 2407.03618) stores the contribution of each word to the score of each document; the scores of a
topic are sums of these.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from optical_cli.artifacts.run import TIE, Ranking, rank, write_run
from optical_cli.config.baselines import Analyzer
from optical_cli.data.documents import Document, fill
from optical_cli.errors import DataError
from optical_cli.progress import Progress
from optical_cli.retrieve import analyzers

RUN = "run.trec"
METHOD = "lucene"


def search(
    topics: Mapping[str, str],
    documents: Iterable[Document],
    folder: Path,
    *,
    analyzer: Analyzer,
    language: str,
    k1: float,
    b: float,
    template: str,
    count: int | None,
    depth: int,
    tag: str,
    progress: Progress,
    candidates: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Search every topic by BM25, write a TREC run file, and return facts for the manifest.

    The run contains only documents that share a word with the topic.

    Args:
        topics: texts by query id.
        documents: checked documents; their words are held in memory, as numbers.
        folder: folder to write the run to.
        analyzer: name of the analyzer that splits texts into words.
        language: language of topics and documents, which selects the stemmer.
        k1: term saturation.
        b: length normalisation.
        template: text of a document, with {title} and {text}.
        count: number of documents, if known.
        depth: documents to keep for a topic.
        tag: tag of the run.
        progress: where progress is reported.
        candidates: document ids by query id, to rank only these; None to rank all documents. Word weights are computed
            from all documents in either case.

    Raises:
        DataError: no document has a word.
        MissingDependency: the analyzer needs PyStemmer, which is not installed.
    """
    analyze = analyzers.analyzer(analyzer, language)
    vocabulary: dict[str, int] = {}
    number: dict[str, int] = {}
    words: list[list[int]] = []
    with progress.task("bm25: read", count, "documents") as advance:
        for document in documents:
            number[document.doc_id] = len(words)
            words.append([vocabulary.setdefault(w, len(vocabulary)) for w in analyze(fill(template, document))])
            advance(1)
    if not vocabulary:
        raise DataError(f"the analyzer {analyzer} finds no word in any document; check pairs.*.collection")
    index = bm25s.BM25(k1=k1, b=b, method=METHOD)
    index.index((words, vocabulary), create_empty_token=False, show_progress=False)
    doc_ids = list(number)
    empty = 0

    def rankings() -> Iterator[tuple[str, Ranking]]:
        nonlocal empty
        with progress.task("bm25: search", len(topics), "topics") as advance:
            for query_id, text in topics.items():
                scores = index.get_scores_from_ids([vocabulary[word] for word in analyze(text) if word in vocabulary])
                if candidates is not None:
                    allowed = [number[doc_id] for doc_id in candidates.get(query_id, ())]
                    all_scores, scores = scores, np.zeros_like(scores)
                    scores[allowed] = all_scores[allowed]
                ranking = _best(scores, doc_ids, depth)
                empty += not ranking
                yield query_id, ranking
                advance(1)

    write_run(folder / RUN, rankings(), tag)
    return {
        "topics": len(topics),
        "topics_without_results": empty,
        "documents": len(doc_ids),
        "vocabulary": len(vocabulary),
        "analyzer": analyzer,
    }


def _best(scores: Any, doc_ids: list[str], depth: int) -> Ranking:
    """Rank the documents with a score above 0, down to `depth`. Ties at the cut are broken as in a run file."""
    (found,) = np.nonzero(scores > 0)
    if len(found) > depth:
        last = np.partition(scores[found], -depth)[-depth]
        found = found[scores[found] >= last - TIE]
    return rank(((doc_ids[number], float(scores[number])) for number in found), depth)
