"""Corpus modes: which documents of a collection are searched.

To add a mode, add a row to `CORPUS_MODES`, and to `pipeline/corpus.py` a class that selects the documents.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from optical_cli.config.settings import CountFromZero, Seed, Settings

FULL, POOLED, HARD_NEGATIVES, CANDIDATES = "full", "pooled", "hard_negatives", "candidates"


@dataclass(frozen=True)
class CorpusMode:
    """A corpus mode, as the experiment file, tables and model cards name it."""

    label: str  # in tables, a template of the pair's settings: `pooled {pool_size}`
    sentence: str  # a description, such as "the whole collection"
    caution: str = ""  # why its figures cannot be compared with published ones; "" if they can
    documents_per_topic: bool = False  # each topic ranks a list of documents of its own


CORPUS_MODES = {
    FULL: CorpusMode("full", "the whole collection"),
    POOLED: CorpusMode(
        "pooled {pool_size}",
        "every judged document and `pool_size` others, drawn at random",
        "A pooled corpus is every judged document and a random sample of the others: "
        "its figures are higher than, and do not compare with, those of a full corpus.",
    ),
    HARD_NEGATIVES: CorpusMode(
        "hard negatives",
        "the documents of a collection of hard negatives: those that other systems ranked highest for its topics",
        "A corpus of hard negatives is a small part of a collection: its figures are higher than, and do not compare "
        "with, those of a full corpus.",
    ),
    CANDIDATES: CorpusMode(
        "candidates of {candidates}",
        "for each topic, the documents that another run found for it",
        "With candidates, each topic ranks the documents of another run and can find no others.",
        documents_per_topic=True,
    ),
}


def _known_mode(name: str) -> str:
    if name not in CORPUS_MODES:
        raise ValueError(f"one of {', '.join(CORPUS_MODES)}")
    return name


class CorpusSettings(Settings):
    """The documents of its collection that a pair searches.

    Attributes:
        corpus: Documents to search. Figures of different corpus modes cannot be compared.
        candidates: Run to rerank with `corpus: candidates`: a TREC run file, or `bm25` over the whole collection
            (`bm25-lower` chooses another analyzer).
        pool_size: Number of unjudged documents in a pooled corpus, drawn at random.
        pool_seed: Seed of the random draw of a pooled corpus.
    """

    corpus: Annotated[str, AfterValidator(_known_mode)] = FULL
    candidates: str | None = None
    pool_size: CountFromZero = 5000
    pool_seed: Seed = 13

    @property
    def mode(self) -> CorpusMode:
        """The corpus mode's row of `CORPUS_MODES`."""
        return CORPUS_MODES[self.corpus]

    @property
    def corpus_name(self) -> str:
        """Label of the corpus mode in tables: `full`, `pooled 5000`, `candidates of bm25`. Not unique."""
        settings: Mapping[str, object] = dict(self)
        stem = "_".join(PurePath(self.candidates or "").stem.split())
        return self.mode.label.format_map({**settings, "candidates": stem})

    @model_validator(mode="after")
    def _candidates_of_a_run(self) -> Self:
        if (self.corpus == CANDIDATES) != (self.candidates is not None):
            raise ValueError(
                "candidates: expected a TREC run file or bm25 with `corpus: candidates`, and with no other corpus; "
                f"found {self.candidates or 'none'} with `corpus: {self.corpus}`"
            )
        return self
