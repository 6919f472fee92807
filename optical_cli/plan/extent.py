"""The size of the collections of an experiment in documents and tokens, and of an index of them in bytes."""

from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from optical_cli.artifacts.token_store import DEFAULT, FORMATS, Int64
from optical_cli.config.experiment import Storage, languages_of
from optical_cli.data.documents import fill
from optical_cli.encoder.setup import CHUNK_BATCHES, dimensions_of, token_counts
from optical_cli.pipeline import Pipeline

SPAN, SAMPLE = 50_000, 500
"""Documents of a sample, and the first documents of a collection that it is spread over; a second suffices for them."""
PROGRAM = 700 << 20
"""Bytes of memory that Python takes with torch and the compiled code, before any model is loaded."""
BYTES_OF_AN_ID = 16
"""Bytes of a document id in the list of ids."""


@dataclass(frozen=True)
class DocumentTokens:
    """Tokens of sampled documents, cut at `encoding.document_length`."""

    encoded: float  # mean before pooling
    kept: float  # mean after pooling
    longest: int  # most of a document, before pooling


class Extent:
    """The collections of an experiment and the models that encode them; inputs may be missing.

    Attributes:
        init: folder of the model that students start from.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._experiment = pipeline.experiment
        self.teacher = pipeline.sources.teacher
        self.init = pipeline.sources.model(pipeline.sources.init).folder
        self.documents = cache(self._documents)
        self.tokens = cache(self._tokens)

    def encoder(self, pair: str) -> Path:
        """Return the folder of the model that encodes the documents of a pair; for a student, of its initial model."""
        by_teacher = languages_of(pair)[1] == self._experiment.teacher.language
        return self.teacher.folder if by_teacher else self.init

    @property
    def dimensions(self) -> int | None:
        """Dimensions of a token embedding, of teacher and student; None if unknown."""
        return dimensions_of(self.teacher.folder)

    def topics(self, pair: str) -> int:
        """Count the topics of a pair."""
        return len(self._pipeline.sources.topics(pair).topics())

    def sample(self, pair: str) -> list[str]:
        """Return the texts of some documents of a pair, as they are encoded."""
        documents, template = self._pipeline.sources.documents(pair), self._experiment.pairs[pair].text
        span = min(documents.count() or SPAN, SPAN)
        spread = islice(documents.documents(), 0, span, -(-span // SAMPLE))
        return [fill(template, document) for document in spread]

    def language_of(self, bitext: object) -> str:
        """Return the language of a bitext, given its key material."""
        sources = self._pipeline.sources
        return next(language for language in self._experiment.bitext if sources.bitext_material(language) == bitext)

    def sentence_tokens(self, language: str, model: Path, longest: int, *, foreign: bool) -> int | None:
        """Estimate the tokens of a side of a bitext from a sample; None if the tokenizer is not on this machine."""
        pairs = self._pipeline.sources.split(language).pairs
        sample = pairs[:: -(-len(pairs) // SAMPLE)]
        counts = token_counts(model, [pair.foreign if foreign else pair.teacher for pair in sample], longest)
        return None if counts is None else round(float(np.mean(counts)) * len(pairs))

    def _documents(self, pair: str) -> int | None:
        """Count the documents that are searched for a pair; None if unknown."""
        return self._pipeline.corpus(pair).upper_bound(self._pipeline.sources.documents(pair).count())

    def _tokens(self, pair: str) -> DocumentTokens | None:
        """Count the tokens of a sample; None without documents, or if the tokenizer is not on this machine."""
        counts = token_counts(self.encoder(pair), self.sample(pair), self._experiment.encoding.document_length)
        if counts is None or not len(counts):
            return None
        kept = pooled_lengths(counts, self._experiment.index.pool_factor)
        return DocumentTokens(float(np.mean(counts)), float(np.mean(kept)), int(np.max(counts)))


def pooled_lengths(lengths: Int64, factor: float) -> Int64:
    """Return the tokens of documents after pooling by a factor: the first token, and a share of the others."""
    others = lengths - 1
    return lengths - others + np.where(others > 0, np.maximum(others // factor, 1), 0).astype(np.int64)


def index_bytes(documents: int, tokens: int, dimensions: int, storage: Storage = DEFAULT) -> int:
    """Return the bytes of an index on disk: tokens, offsets of documents, and ids."""
    return tokens * FORMATS[storage].row(dimensions).itemsize + documents * (8 + BYTES_OF_AN_ID)


def memory_to_index(weights: int, batch_size: int, longest: int, dimensions: int) -> int:
    """Return the bytes of memory that indexing takes: the model, and a shard before and after normalisation.

    Every document counts as the longest, as long documents stand together: a shard of MIRACL Yoruba has 2.6 times the
    tokens of the mean shard.
    """
    return PROGRAM + weights + CHUNK_BATCHES * batch_size * longest * dimensions * (4 + 4)
