"""How much there is to read, and the bytes that it takes: documents, their tokens, an index of them."""

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
"""A sample, and over how many documents at the beginning of a collection it is spread: they are read in a second."""
PROGRAM = 700 << 20
"""Memory of Python with torch and the compiled code, before anything is loaded."""
BYTES_OF_AN_ID = 16
"""Of a document, in the list of ids."""


@dataclass(frozen=True)
class DocumentTokens:
    """Tokens of sampled documents, cut at `encoding.document_length`: the means before and after pooling, the most."""

    encoded: float
    kept: float
    longest: int


class Extent:
    """The collections of an experiment, and the models that read them; the input may be missing in part.

    Attributes:
        teacher: the model that students learn from.
        init: the folder of the model that students begin as.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._experiment = pipeline.experiment
        self.teacher = pipeline.sources.teacher
        self.init = pipeline.sources.model(pipeline.sources.init).folder
        self.documents = cache(self._documents)
        self.tokens = cache(self._tokens)

    def encoder(self, pair: str) -> Path:
        """The folder of the model that encodes a pair's documents, or that it was made from."""
        by_teacher = languages_of(pair)[1] == self._experiment.teacher.language
        return self.teacher.folder if by_teacher else self.init

    @property
    def dimensions(self) -> int | None:
        """Of a token; the student's are the teacher's, for they are one space."""
        return dimensions_of(self.teacher.folder)

    def topics(self, pair: str) -> int:
        """How many topics a pair has."""
        return len(self._pipeline.sources.topics(pair).topics())

    def sample(self, pair: str) -> list[str]:
        """Some documents of a pair's collection as they are encoded."""
        documents, template = self._pipeline.sources.documents(pair), self._experiment.pairs[pair].text
        span = min(documents.count() or SPAN, SPAN)
        spread = islice(documents.documents(), 0, span, -(-span // SAMPLE))
        return [fill(template, document) for document in spread]

    def _documents(self, pair: str) -> int | None:
        """How many documents a pair is searched in; None if nothing says it."""
        return self._pipeline.corpus(pair).upper_bound(self._pipeline.sources.documents(pair).count())

    def _tokens(self, pair: str) -> DocumentTokens | None:
        """From a sample; None if the tokenizer is not on this machine, or there is no document."""
        counts = token_counts(self.encoder(pair), self.sample(pair), self._experiment.encoding.document_length)
        if counts is None or not len(counts):
            return None
        kept = pooled_lengths(counts, self._experiment.index.pool_factor)
        return DocumentTokens(float(np.mean(counts)), float(np.mean(kept)), int(np.max(counts)))


def pooled_lengths(lengths: Int64, factor: float) -> Int64:
    """Tokens that pooling by a factor leaves of documents of some tokens: the first one, and a part of the others."""
    others = lengths - 1
    return lengths - others + np.where(others > 0, np.maximum(others // factor, 1), 0).astype(np.int64)


def index_bytes(documents: int, tokens: int, dimensions: int, storage: Storage = DEFAULT) -> int:
    """Bytes of an index on the disk: tokens, where documents begin, ids."""
    return tokens * FORMATS[storage].row(dimensions).itemsize + documents * (8 + BYTES_OF_AN_ID)


def memory_to_index(weights: int, batch_size: int, longest: int, dimensions: int) -> int:
    """Bytes that making an index takes: the model, and a shard as the encoder gives it and at unit length.

    Every document counts as the longest: documents that are alike stand together, and a shard of MIRACL Yoruba has 2.6
    times the tokens of the mean one.
    """
    return PROGRAM + weights + CHUNK_BATCHES * batch_size * longest * dimensions * (4 + 4)
