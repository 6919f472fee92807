"""BM25: how texts become words, and the two numbers of its formula."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from optical_cli.config.settings import Number, Settings

Analyzer = Literal["folding", "lower", "whitespace"]
ANALYZERS: tuple[Analyzer, ...] = get_args(Analyzer)


class Bm25(Settings):
    """The baseline `bm25`.

    Attributes:
        analyzers: each is a baseline of its own. `folding`: words in lower case, accents removed; `lower`: words in
            lower case; `whitespace`: what stands between white space, as it is.
        k1: how much a word counts that comes again.
        b: how much a document's length is held against it, 0 to 1.
    """

    analyzers: Annotated[tuple[Analyzer, ...], Field(min_length=1)] = ("folding",)
    k1: Annotated[Number, Field(ge=0)] = 0.9
    b: Annotated[Number, Field(ge=0, le=1)] = 0.4

    def analyzer_of(self, name: str) -> Analyzer | None:
        """The analyzer of `bm25` (the first one) or of `bm25-lower`; None for a name that is not of BM25."""
        if name == "bm25":
            return self.analyzers[0]
        return next((analyzer for analyzer in ANALYZERS if name == bm25_objective(analyzer)), None)


def bm25_objective(analyzer: Analyzer) -> str:
    """What BM25 by an analyzer is called: as an objective, and as a source of candidates."""
    return f"bm25-{analyzer}"
