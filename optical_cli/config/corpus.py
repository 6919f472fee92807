"""Corpus modes: which documents of a collection a pair is searched in. `pipeline/corpus.py` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from optical_cli.config.settings import CountFromZero, Seed, Settings

FULL, POOLED, CANDIDATES = "full", "pooled", "candidates"


@dataclass(frozen=True)
class CorpusMode:
    """A corpus mode as the experiment file, tables and cards know it."""

    label: str  # in tables, with settings of the pair: `pooled {pool_size}`
    sentence: str
    caution: str = ""  # why figures do not compare with published ones; "" if they do
    own_documents: bool = False  # each topic is ranked among documents of its own


CORPUS_MODES = {
    FULL: CorpusMode("full", "the whole collection"),
    POOLED: CorpusMode(
        "pooled {pool_size}",
        "every judged document and `pool_size` others, drawn at random",
        "A pooled corpus is every judged document and a random sample of the others: "
        "its figures are higher than, and do not compare with, those of a full corpus.",
    ),
    CANDIDATES: CorpusMode(
        "candidates of {candidates}",
        "the documents of a run, each topic among its own",
        "With candidates, each topic ranks the documents of another run and can find no others.",
        own_documents=True,
    ),
}


def _known_mode(name: str) -> str:
    if name not in CORPUS_MODES:
        raise ValueError(f"one of {', '.join(CORPUS_MODES)}")
    return name


class CorpusSettings(Settings):
    """Which documents of its collection a pair is searched in.

    Attributes:
        corpus: `full`; `pooled`, the judged documents and `pool_size` others; or `candidates`, those of another run.
        candidates: That run: a TREC run file, or `bm25` (`bm25-lower`: by that analyzer) over the whole collection.
        pool_size: Number of random documents in a pooled corpus.
        pool_seed: Seed that draws them.
    """

    corpus: Annotated[str, AfterValidator(_known_mode)] = FULL
    candidates: str | None = None
    pool_size: CountFromZero = 5000
    pool_seed: Seed = 13

    @property
    def mode(self) -> CorpusMode:
        """The row of the corpus mode."""
        return CORPUS_MODES[self.corpus]

    @property
    def corpus_name(self) -> str:
        """The corpus mode as tables show it: `full`, `pooled 5000`, `candidates of bm25`. No identity: see the keys."""
        settings: Mapping[str, object] = dict(self)
        stem = "_".join(PurePath(self.candidates or "").stem.split())
        return self.mode.label.format_map({**settings, "candidates": stem})

    @model_validator(mode="after")
    def _candidates_of_a_run(self) -> Self:
        if (self.corpus == CANDIDATES) != (self.candidates is not None):
            raise ValueError(
                "candidates: a TREC run file or bm25 expected beside `corpus: candidates`, and nowhere else, "
                f"found {self.candidates or 'none'} beside `corpus: {self.corpus}`"
            )
        return self
