"""How much there is to read: the documents a pair is searched in, and the tokens of one of them."""

from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from optical_cli.config.experiment import languages_of
from optical_cli.data.documents import fill
from optical_cli.encoder.setup import dimensions_of, token_counts
from optical_cli.pipeline import Pipeline
from optical_cli.plan.footprint import pooled_lengths

SPAN, SAMPLE = 50_000, 500
"""A sample, and over how many documents at the beginning of a collection it is spread: they are read in a second."""


@dataclass(frozen=True)
class DocumentTokens:
    """Of a sampled document, cut at `encoding.document_length`.

    Attributes:
        encoded: tokens that go through the encoder, the mean.
        kept: tokens that pooling leaves, the mean.
        longest: tokens of the longest that go through the encoder.
    """

    encoded: float
    kept: float
    longest: int


class Extent:
    """The collections of an experiment, and the models that read them.

    Args:
        pipeline: of the experiment; its input may be missing in part.

    Attributes:
        teacher: its fingerprint.
        init: the folder of the model that students begin as.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._experiment = experiment = pipeline.experiment
        self._sources = sources = pipeline.sources
        teacher, init = sources.model(experiment.teacher.model), experiment.student.init
        self._teacher = teacher.folder
        self.teacher = teacher.fingerprint
        self.init = self._teacher if init == "teacher" else sources.model(init).folder
        self.documents = cache(self._documents)
        self.tokens = cache(self._tokens)

    def encoder(self, pair: str) -> Path:
        """The folder of the model that encodes a pair's documents, or that it was made from."""
        by_teacher = languages_of(pair)[1] == self._experiment.teacher.language
        return self._teacher if by_teacher else self.init

    @property
    def dimensions(self) -> int | None:
        """Of a token; the student's are the teacher's, for they are one space."""
        return dimensions_of(self._teacher)

    def topics(self, pair: str) -> int:
        """How many topics a pair has."""
        return len(self._sources.topics(pair).topics())

    def sample(self, pair: str) -> list[str]:
        """Some documents of a pair's collection as they are encoded."""
        documents, template = self._sources.documents(pair), self._experiment.pairs[pair].text
        span = min(documents.count() or SPAN, SPAN)
        spread = islice(documents.documents(), 0, span, -(-span // SAMPLE))
        return [fill(template, document) for document in spread]

    def _documents(self, pair: str) -> int | None:
        """How many documents a pair is searched in; None if nothing says it."""
        return self._pipeline.corpus(pair).most(self._sources.documents(pair).count())

    def _tokens(self, pair: str) -> DocumentTokens | None:
        """From a sample; None if the tokenizer is not on this machine, or there is no document."""
        counts = token_counts(self.encoder(pair), self.sample(pair), self._experiment.encoding.document_length)
        if counts is None or not len(counts):
            return None
        kept = pooled_lengths(counts, self._experiment.index.pool_factor)
        return DocumentTokens(float(np.mean(counts)), float(np.mean(kept)), int(np.max(counts)))
