"""Settings of the baselines that search without a student: BM25 and translated topics."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from optical_cli.config.objectives import BM25
from optical_cli.config.settings import Count, Name, Number, Settings

Analyzer = Literal["folding", "lower", "whitespace", "stemmed"]
ANALYZERS: tuple[Analyzer, ...] = get_args(Analyzer)
STEMMED: Analyzer = "stemmed"
STEMMERS = {  # the languages that Snowball has a stemmer for, and its names of them
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
NEEDS_PYSTEMMER = (
    "bm25.analyzers: stemmed needs PyStemmer, which is not installed: pip install 'optical-cli[stemmers]', or take "
    "folding"
)


class Bm25(Settings):
    """The baseline `bm25`.

    Attributes:
        analyzers: `folding` (no case, no accents), `lower`, `whitespace`, `stemmed` (folded, by Snowball); a row each.
        k1: Saturation of term frequency.
        b: Length normalisation, 0 to 1.
    """

    analyzers: Annotated[tuple[Analyzer, ...], Field(min_length=1)] = ("folding",)
    k1: Annotated[Number, Field(ge=0)] = 0.9
    b: Annotated[Number, Field(ge=0, le=1)] = 0.4

    def analyzer_of(self, name: str) -> Analyzer | None:
        """The analyzer of `bm25` (the first one) or of `bm25-lower`; None for a name that is not of BM25."""
        if name == BM25:
            return self.analyzers[0]
        return next((analyzer for analyzer in ANALYZERS if name == bm25_objective(analyzer)), None)


def bm25_objective(analyzer: Analyzer) -> str:
    """The name of BM25 with an analyzer, as an objective and as a source of candidates."""
    return f"{BM25}-{analyzer}"


def stemmer_of(language: str) -> str | None:
    """Snowball's name of a language code; None if it has no stemmer."""
    return STEMMERS.get(language.partition("_")[0])


def no_stemmer_for(language: str) -> str:
    """The message for a language without a stemmer."""
    return (
        f"bm25.analyzers: stemmed: Snowball has no stemmer for {language}; leave it out, or the pairs of that "
        f"language; it has {', '.join(sorted(STEMMERS))}"
    )


class Translate(Settings):
    """The baseline `translate` for topics of one language: `topics` and `by`, or a `model`.

    Attributes:
        topics: The translated topics: any source that `pairs.*.topics` takes.
        by: Who or what translated them; by default the name of the model.
        model: Translation model (encoder-decoder, safetensors) to use instead: a folder or a Hugging Face id.
        source_code: The model's code for the topics' language, such as hin_Deva; null for a model of one pair.
        target_code: The model's code for the teacher's language, such as eng_Latn.
        prefix: Text put before each topic, as T5 needs it.
        beams: Width of the beam search; 1 is greedy decoding.
        max_length: Most tokens of a topic and of its translation; the rest is cut off.
        batch_size: Topics per batch; can change the last bits of a score, and with them a token.
    """

    topics: str | None = None
    by: Name | None = None
    model: str | None = None
    source_code: Name | None = None
    target_code: Name | None = None
    prefix: str = ""
    beams: Count = 4
    max_length: Count = 128
    batch_size: Count = 16

    @model_validator(mode="after")
    def _model_or_topics(self) -> Self:
        if (self.topics is None) == (self.model is None):
            found = "neither" if self.topics is None else "both"
            raise ValueError(f"model: a model or translated topics expected, found {found}")
        if self.topics is not None:
            of_a_model = self.model_fields_set - {"topics", "by", "model"}
            faults = [f"{name}: only a model has one; leave it out, or name a model" for name in sorted(of_a_model)]
            if self.by is None:
                faults.append("by: expected beside topics: who or what translated them")
            if faults:
                raise ValueError("\n".join(faults))
        return self
