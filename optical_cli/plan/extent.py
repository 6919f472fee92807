"""The sizes of what an experiment reads and makes: documents, tokens, and bytes of indexes and students."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np

from optical_cli.artifacts.token_store import DEFAULT, FORMATS, Int64
from optical_cli.cache.keys import canonical_json
from optical_cli.config.experiment import Storage, languages_of
from optical_cli.data.documents import fill
from optical_cli.encoder.setup import (
    CHUNK_BATCHES,
    dimensions_of,
    hidden_size_of,
    token_counts,
    tokens_removed,
    weight_bytes,
)
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Student
from optical_cli.pipeline.sources import ModelInput

SPAN, SAMPLE = 50_000, 500
"""Documents of a sample, and the first documents of a collection that it is spread over; a second suffices for them."""
PAIRS = 20_000
"""Sentence pairs of a bitext whose tokens tell what a trimmed vocabulary keeps; others add few."""
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
        teacher: the teacher.
        init: the model that students start from.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._experiment = pipeline.experiment
        self.teacher = pipeline.sources.teacher
        self.init = pipeline.sources.model(pipeline.sources.init)
        self.documents = cache(self._documents)
        self.tokens = cache(self._tokens)

    def encoder(self, pair: str) -> ModelInput:
        """Return the model that encodes the documents of a pair; for a student, its initial model."""
        by_teacher = languages_of(pair)[1] == self._experiment.teacher.language
        return self.teacher if by_teacher else self.init

    @property
    def dimensions(self) -> int | None:
        """Dimensions of a token embedding, of teacher and student; None if unknown."""
        return dimensions_of(self.teacher.folder)

    def topics(self, pair: str) -> int:
        """Count the topics of a pair."""
        return len(self._pipeline.sources.topics(pair).topics())

    def texts(self, pair: str) -> list[str]:
        """Return the texts of a sample of the documents of a pair, as they are encoded."""
        documents, template = self._pipeline.sources.documents(pair), self._experiment.pairs[pair].text
        span = min(documents.count() or SPAN, SPAN)
        spread = islice(documents.documents(), 0, span, -(-span // SAMPLE))
        return [fill(template, document) for document in spread]

    def language_of(self, bitext: object) -> str:
        """Return the language of a bitext, given its key material."""
        sources = self._pipeline.sources
        return next(language for language in self._experiment.bitext if sources.bitext_material(language) == bitext)

    def sentence_tokens(self, language: str, model: ModelInput, longest: int, *, foreign: bool) -> int | None:
        """Estimate the tokens of a side of a bitext from a sample; None if the tokenizer is not on this machine."""

        def count() -> dict[str, Any]:
            pairs = self._pipeline.sources.split(language).pairs
            sample = pairs[:: -(-len(pairs) // SAMPLE)]
            counts = token_counts(model.folder, [pair.foreign if foreign else pair.teacher for pair in sample], longest)
            return {"tokens": None if counts is None else round(float(np.mean(counts)) * len(pairs))}

        side = "foreign" if foreign else "teacher's"
        name = f"tokens of the {side} side of {self._bitext(language)}, {longest} at most"
        tokens: int | None = self._once(name, model, count)["tokens"]
        return tokens

    def start_bytes(self, student: Student) -> int:
        """Estimate the bytes of a student with all of its weights, whose vocabulary may be trimmed."""
        settings, width = self._experiment.student, hidden_size_of(self.init.folder)
        whole = weight_bytes(self.init.folder)
        if settings.vocabulary == "full" or width is None:
            return whole

        def count() -> dict[str, Any]:
            pairs = [pair for one in student.languages for pair in self._pipeline.sources.split(one).pairs]
            sample = pairs[:: -(-len(pairs) // PAIRS)]
            sentences = [sentence for pair in sample for sentence in (pair.teacher, pair.foreign)]
            return {"removed": tokens_removed(self.init.folder, sentences, settings.vocabulary_floor)}

        bitexts = ", ".join(map(self._bitext, student.languages))
        name = f"tokens not in {bitexts}, nor among the {settings.vocabulary_floor} most frequent"
        return whole - int(self._once(name, self.init, count)["removed"]) * width * np.dtype(np.float32).itemsize

    def _documents(self, pair: str) -> int | None:
        """Count the documents that are searched for a pair; None if unknown."""
        return self._pipeline.corpus(pair).upper_bound(self._pipeline.sources.documents(pair).count())

    def _tokens(self, pair: str) -> DocumentTokens | None:
        """Count the tokens of a sample; None without documents, or if the tokenizer is not on this machine."""
        model, longest = self.encoder(pair), self._experiment.encoding.document_length
        factor, template = self._experiment.index.pool_factor, self._experiment.pairs[pair].text

        def count() -> dict[str, Any]:
            counts = token_counts(model.folder, self.texts(pair), longest)
            if counts is None or not len(counts):
                return {}
            kept = pooled_lengths(counts, factor)
            return asdict(DocumentTokens(float(np.mean(counts)), float(np.mean(kept)), int(np.max(counts))))

        documents = self._pipeline.sources.fingerprint(self._pipeline.sources.documents(pair))
        name = f"tokens of {documents} as {template}, {longest} at most, pooled by {factor}"
        found = self._once(name, model, count)
        return DocumentTokens(**found) if found else None

    def _bitext(self, language: str) -> str:
        """Return what identifies the pairs of a bitext."""
        return canonical_json(self._pipeline.sources.bitext_material(language))

    def _once(self, name: str, model: ModelInput, count: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Count something with the tokenizer of a model, once for its inputs."""
        return self._pipeline.sources.memo.of_inputs(f"{name}, by {model.fingerprint}", count)


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
