"""Settings of the baselines that need no student: BM25 and translated topics."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from optical_cli.config.objectives import BM25
from optical_cli.config.settings import Count, Name, Number, Settings

Analyzer = Literal["folding", "lower", "whitespace", "stemmed"]
ANALYZERS: tuple[Analyzer, ...] = get_args(Analyzer)
STEMMED: Analyzer = "stemmed"
STEMMERS = {  # language code to the name of Snowball's stemmer
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
NEEDS_PYSTEMMER = (
    "bm25.analyzers: `stemmed` needs PyStemmer, which is not installed; run pip install 'optical-cli[stemmers]', or "
    "use `folding`"
)


class Bm25(Settings):
    """The baseline `bm25`: lexical search, for pairs whose topics and documents are in one language.

    Attributes:
        analyzers: How texts become words: `folding` (lower case, accents removed), `lower` (lower case), `whitespace`
            (split at white space only) or `stemmed` (lower case, Snowball stemmer, accents removed). Each analyzer is
            a row of its own in the tables.
        k1: Term frequency saturation, from 0 (how often a word occurs does not count) to 1000.
        b: Length normalisation, from 0 (none) to 1 (full).
    """

    analyzers: Annotated[tuple[Analyzer, ...], Field(min_length=1)] = ("folding",)
    k1: Annotated[Number, Field(ge=0, le=1000)] = 0.9
    b: Annotated[Number, Field(ge=0, le=1)] = 0.4

    def analyzer_of(self, name: str) -> Analyzer | None:
        """Return the analyzer of `bm25` (the first one listed) or of `bm25-lower`; None if the name is not BM25's."""
        if name == BM25:
            return self.analyzers[0]
        return next((analyzer for analyzer in ANALYZERS if name == bm25_objective(analyzer)), None)


def bm25_objective(analyzer: Analyzer) -> str:
    """Return the name of BM25 with an analyzer, such as `bm25-lower`, as cells and `candidates` use it."""
    return f"{BM25}-{analyzer}"


def stemmer_of(language: str) -> str | None:
    """Return Snowball's name of a language, given its code; None if Snowball has no stemmer for it."""
    return STEMMERS.get(language.partition("_")[0])


def no_stemmer_for(language: str) -> str:
    """Return the error message for a language without a stemmer."""
    return (
        f"bm25.analyzers: Snowball has no stemmer for {language}; remove `stemmed`, or the pairs with documents in "
        f"{language}. Languages with a stemmer: {', '.join(sorted(STEMMERS))}"
    )


class Translate(Settings):
    """The baseline `translate`: topics of one language, translated into the teacher's, and searched by the teacher.

    Give either existing translations (`topics` and `by`) or a translation `model`.

    Attributes:
        topics: Existing translations of the topics: an ir_datasets id, a folder, or a TSV of `query_id TAB text`.
        by: Name of the translator, for reports and manifests. Required with `topics`; null is the name of the model.
        model: Translation model: a folder or a Hugging Face id of an encoder-decoder with weights in safetensors.
        source_code: The model's code for the language of the topics, such as hin_Deva; null if the model needs none.
        target_code: The model's code for the teacher's language, such as eng_Latn; null if the model needs none.
        prefix: Text put in front of each topic, such as the task prefix of T5.
        beams: Width of the beam search; 1 is greedy decoding.
        max_length: Longest topic and longest translation, in tokens; the rest is cut off.
        batch_size: Topics per batch. It can change the last bits of the scores of a beam, and so a translation.
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
            raise ValueError(f"model: expected either a model or translated topics, found {found}")
        if self.topics is not None:
            model_settings = self.model_fields_set - {"topics", "by", "model"}
            faults = [f"{name}: applies to a model only; remove it, or name a model" for name in sorted(model_settings)]
            if self.by is None:
                faults.append("by: missing; name who or what translated the topics")
            if faults:
                raise ValueError("\n".join(faults))
        return self
