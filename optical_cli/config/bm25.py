"""BM25: how texts become words, and the two numbers of its formula."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from optical_cli.config.objectives import BM25
from optical_cli.config.settings import Number, Settings

Analyzer = Literal["folding", "lower", "whitespace", "stemmed"]
ANALYZERS: tuple[Analyzer, ...] = get_args(Analyzer)
STEMMED: Analyzer = "stemmed"
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
"""Snowball's name of each language that it has a stemmer for."""
NEEDS_PYSTEMMER = (
    "bm25.analyzers: stemmed needs PyStemmer, which is not installed: pip install 'optical-cli[stemmers]', or take "
    "folding"
)


class Bm25(Settings):
    """The baseline `bm25`.

    Attributes:
        analyzers: each is a baseline of its own. `folding`: words in lower case, accents removed; `lower`: words in
            lower case; `whitespace`: what stands between white space, as it is; `stemmed`: words in lower case, without
            the endings that the Snowball stemmer of their language takes, and then without accents.
        k1: how much a word counts that comes again.
        b: how much a document's length is held against it, 0 to 1.
    """

    analyzers: Annotated[tuple[Analyzer, ...], Field(min_length=1)] = ("folding",)
    k1: Annotated[Number, Field(ge=0)] = 0.9
    b: Annotated[Number, Field(ge=0, le=1)] = 0.4

    def analyzer_of(self, name: str) -> Analyzer | None:
        """The analyzer of `bm25` (the first one) or of `bm25-lower`; None for a name that is not of BM25."""
        if name == BM25:
            return self.analyzers[0]
        return next((analyzer for analyzer in ANALYZERS if name == bm25_objective(analyzer)), None)


def stemmer_of(language: str) -> str | None:
    """Snowball's name of a language, by its code; None if there is no stemmer."""
    return STEMMERS.get(language.partition("_")[0])


def no_stemmer_for(language: str) -> str:
    """What is said of a language without a stemmer, where words were to be stemmed."""
    return (
        f"bm25.analyzers: stemmed: Snowball has no stemmer for {language}; leave it out, or the pairs of that "
        f"language; it has {', '.join(sorted(STEMMERS))}"
    )


def bm25_objective(analyzer: Analyzer) -> str:
    """What BM25 by an analyzer is called: as an objective, and as a source of candidates."""
    return f"{BM25}-{analyzer}"
