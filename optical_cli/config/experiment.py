"""An experiment: one frozen class for each section, and the rules of what fits together."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from optical_cli.config.baselines import STEMMED, Bm25, Translate, no_stemmer_for, stemmer_of
from optical_cli.config.bitext import Bitext
from optical_cli.config.corpus import CorpusSettings
from optical_cli.config.engines import CANDIDATES, ENGINES, SearchEngine
from optical_cli.config.measures import parse_measure
from optical_cli.config.objectives import BM25, OBJECTIVES, TRANSLATE, UNTRAINED, baseline_names
from optical_cli.config.retrieval import Retrieval
from optical_cli.config.settings import Count, Name, Number, Precision, Reg, Seed, Settings, SpeedOnly, as_several
from optical_cli.config.student import Student, Training
from optical_cli.config.transport import Transport
from optical_cli.errors import ConfigError

WHOLE_TEXT = "{title} {text}"


def _checked_measure(name: str) -> str:
    try:
        parse_measure(name)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return name


def _checked_baseline(name: object) -> object:
    if name not in (known := baseline_names()):
        raise ValueError(f"{', '.join(known[:-1])} or {known[-1]}")
    return name


def _checked_reference(value: object) -> object:
    try:
        return value if value in baseline_names() else _REG.validate_python(value)
    except ValidationError as error:  # one fault in place of pydantic's, one for each type
        raise ValueError(f"a baseline ({', '.join(baseline_names())}) or a reg") from error


def _checked_template(text: str) -> str:
    fields = re.findall(r"\{(.*?)\}", text)
    if "text" not in fields or set(fields) - {"title", "text"}:
        raise ValueError("a template with {text}, and {title} if wanted, expected")
    return text


_REG = TypeAdapter(Reg)
Baseline = Annotated[str, BeforeValidator(_checked_baseline)]
Reference = Annotated[str | float, BeforeValidator(_checked_reference)]
Storage = Literal["float16", "int8"]
Measures = Annotated[tuple[Annotated[str, AfterValidator(_checked_measure)], ...], Field(min_length=1)]


class Teacher(Settings):
    """The frozen late-interaction encoder.

    Attributes:
        model: A folder, a Hugging Face id, or `builtin:tiny-teacher`.
        language: Language that the teacher is good in.
    """

    model: str
    language: str = "en"


class Encoding(Settings):
    """How texts become token embeddings, by teacher and student alike.

    Attributes:
        query_length: Most tokens of a query, special tokens included; the rest is cut off.
        document_length: Most tokens of a document, special tokens included; the rest is cut off.
        precision: `float32`, `bfloat16`, or `auto` for bfloat16 where the processor has units for it.
        batch_size: Texts per batch.
    """

    query_length: Count = 64
    document_length: Count = 256
    precision: Precision = "float32"
    batch_size: Annotated[Count, SpeedOnly("texts of a batch do not see each other; only the last bits change")] = 64


class Index(Settings):
    """What is kept of the documents' tokens; topics are kept as they are encoded.

    Attributes:
        pool_factor: 2 keeps about half of a document's tokens, each the mean of similar ones; 1 keeps all.
        storage: Type of each number: `float16`, or `int8`, half as large, with a scale for each token.
    """

    pool_factor: Annotated[Number, Field(ge=1)] = 1.0
    storage: Storage = "float16"

    def deciding(self) -> dict[str, Any]:
        """The settings that are not the default, as JSON values, so that older indexes keep their keys."""
        return self.model_dump(exclude_defaults=True)

    @property
    def name(self) -> str:
        """`pool2-int8`, as labels and tags have it; empty for the default."""
        parts = {f"pool{self.pool_factor:g}": self.pool_factor > 1, self.storage: self.storage != "float16"}
        return "-".join(part for part, said in parts.items() if said)

    @property
    def in_words(self) -> str:
        """`tokens pooled by 2 (index.pool_factor), a byte a number (index.storage)`; empty for the default."""
        pooled = f"tokens pooled by {self.pool_factor:g} (index.pool_factor)"
        parts = {pooled: self.pool_factor > 1, "a byte a number (index.storage)": self.storage == "int8"}
        return ", ".join(part for part, said in parts.items() if said)


class Pair(CorpusSettings):
    """A language pair `q-d`: where its documents, topics and judgements come from.

    Attributes:
        collection: An ir_datasets id, a folder, or `builtin:tiny`.
        topics: An ir_datasets id, a folder, `builtin:tiny` or a TSV; null for those of the collection.
        topic_text: Template of the fields that are searched with, such as `{title} {description}`; null for the usual.
        translated_by: Who or what translated the topics, for manifests and reports; null for original topics.
        qrels: An ir_datasets id, a folder, `builtin:tiny` or a TREC qrels file; null for those of the collection.
        text: Template of the text of a document that is encoded.
    """

    collection: str
    topics: str | None = None
    topic_text: Annotated[str, Field(pattern=r"\{\w+\}")] | None = None
    translated_by: Name | None = None
    qrels: str | None = None
    text: Annotated[str, AfterValidator(_checked_template)] = WHOLE_TEXT


class Evaluation(Settings):
    """What is measured, and what a report tests.

    Attributes:
        measures: Names such as ndcg@10, recall@100, map, mrr@10, judged@10.
        reference: What every reg is tested against: baselines and regs; null for each baseline and reg inf.
        seed: Seed of the resampling behind intervals and tests.
        low_resource: Languages whose pairs are compared with the others.
    """

    measures: Measures = ("ndcg@10", "recall@100", "map", "mrr@10", "judged@10")
    reference: Annotated[tuple[Reference, ...] | None, BeforeValidator(as_several)] = None
    seed: Seed = 13
    low_resource: Annotated[tuple[str, ...], BeforeValidator(as_several)] = ()


class Experiment(Settings):
    """A whole experiment file.

    Attributes:
        name: Name of the report; letters, digits, dot, dash and underscore.
        bitext: Bitexts by foreign language.
        pairs: Language pairs by `query language-document language`.
        seeds: Seeds of the training; each makes students of its own.
        translate: Translations for the baseline `translate`, by the language of the topics.
        baselines: Evaluated beside the transport; `bm25` suits pairs of one language, `translate` topics of another.
        base: Folder that relative paths of the file start from; not a key of the file.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    teacher: Teacher
    student: Student = Student()
    encoding: Encoding = Encoding()
    bitext: Annotated[dict[str, Bitext], Field(default_factory=dict)]
    transport: Transport = Transport()
    training: Training = Training()
    pairs: Annotated[dict[str, Pair], Field(min_length=1)]
    index: Index = Index()
    retrieval: Retrieval = Retrieval()
    bm25: Bm25 = Bm25()
    translate: Annotated[dict[str, Translate], Field(default_factory=dict)]
    evaluation: Evaluation = Evaluation()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (13,)
    baselines: tuple[Baseline, ...] = (UNTRAINED,)
    base: Annotated[Path, Field(exclude=True)] = Path()

    def engine_of(self, pair: str) -> SearchEngine:
        """The engine that a pair is searched by; candidates are all scored, whatever `retrieval.engine` says."""
        return CANDIDATES if self.pairs[pair].mode.own_documents else ENGINES[self.retrieval.engine]

    @property
    def stemmed_pairs(self) -> list[str]:
        """The pairs whose words are stemmed, for a row of their own or for the candidates of others."""
        rows = BM25 in self.baselines and STEMMED in self.bm25.analyzers
        return [
            name
            for name, pair in self.pairs.items()
            if (rows and in_one_language(name))
            or (pair.candidates is not None and self.bm25.analyzer_of(pair.candidates) == STEMMED)
        ]

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        faults = faults_between_sections(self.teacher.language, self.bitext, self.pairs)
        faults += _faults_of_lists(self)
        if all(_is_pair(pair) for pair in self.pairs):
            faults += _faults_of_baselines(self)
        if faults:
            raise ValueError("\n".join(faults))
        return self


def faults_between_sections(teacher_language: str, bitext: Collection[str], pairs: Iterable[str]) -> list[str]:
    """What is wrong with the languages that sections name, one line each."""
    faults = []
    for pair in pairs:
        if not _is_pair(pair):
            faults.append(f"pairs.{pair}: `query language-document language` expected, such as yo-en")
            continue
        faults += [
            f"pairs.{pair}: {language} is not the teacher's language ({teacher_language}) and has no "
            f"bitext; add bitext.{language}.source"
            for language in sorted(set(languages_of(pair)))
            if language != teacher_language and language not in bitext
        ]
    hint = "a language code such as sw or yo expected (quote `no`, which YAML reads as false)"
    return faults + [f"bitext.{code}: {hint}" for code in bitext if not _is_language(code)]


def _faults_of_lists(x: Experiment) -> Iterator[str]:
    low_resource = x.evaluation.low_resource
    lists: dict[str, tuple[Any, ...]] = {"transport.reg": x.transport.reg, "seeds": x.seeds, "baselines": x.baselines}
    lists |= {"bm25.analyzers": x.bm25.analyzers, "evaluation.low_resource": low_resource}
    for key, values in lists.items():
        if len(set(values)) != len(values):
            yield f"{key}: duplicate value; list each value once"
    for reference in x.evaluation.reference or ():
        if reference not in (*x.baselines, *x.transport.reg):
            yield f"evaluation.reference: {reference} is neither in baselines nor in transport.reg; add it to one"
    used = sorted({language for pair in x.pairs for language in pair.split("-")})
    if unused := [language for language in low_resource if language not in used]:
        for language in unused:
            yield f"evaluation.low_resource: {language} is in no pair of the experiment; it has {', '.join(used)}"
    elif low_resource and len(low_resource_pairs(low_resource, x.pairs)) == len(x.pairs):
        yield "evaluation.low_resource: every pair has one of these languages; name fewer, or add other pairs"


def _faults_of_baselines(x: Experiment) -> Iterator[str]:
    teacher = x.teacher.language
    translatable = dict.fromkeys(languages_of(pair)[0] for pair in x.pairs if can_be_translated(pair, teacher))
    if TRANSLATE in x.baselines and not translatable:
        yield (
            f"baselines: translate: no pair has documents in the teacher's language ({teacher}) and topics in "
            "another; leave it out, or add such a pair"
        )
    for language in translatable if TRANSLATE in x.baselines else ():
        if language not in x.translate:
            yield (
                f"translate.{language}: expected, for translate is among the baselines; add "
                f"translate.{language}.model, or topics and by"
            )
    for language in dict.fromkeys(languages_of(pair)[1] for pair in x.stemmed_pairs):
        if stemmer_of(language) is None:
            yield no_stemmer_for(language)
    for name, pair in x.pairs.items():
        if pair.candidates and x.bm25.analyzer_of(pair.candidates) and not in_one_language(name):
            yield (
                f"pairs.{name}.candidates: BM25 matches words, and topics and documents are in different languages; "
                "give the file of another run"
            )


def _is_language(code: str) -> bool:
    return re.fullmatch(r"[a-z]{2,3}(_[A-Za-z0-9]{2,8})?", code) is not None


def _is_pair(name: str) -> bool:
    languages = name.split("-")
    return len(languages) == 2 and all(map(_is_language, languages))


def low_resource_pairs(languages: Collection[str], pairs: Iterable[str]) -> list[str]:
    """The pairs with a low-resource language on either side."""
    return [pair for pair in pairs if set(pair.split("-")) & set(languages)]


def languages_of(pair: str) -> tuple[str, str]:
    """The query language and the document language of a checked pair name."""
    query, document = pair.split("-")
    return query, document


def in_one_language(pair: str) -> bool:
    """Whether topics and documents of a pair are in the same language."""
    query, document = languages_of(pair)
    return query == document


def can_be_translated(pair: str, teacher_language: str) -> bool:
    """Whether topics that are translated into the teacher's language are in the language of the documents."""
    return OBJECTIVES[TRANSLATE].suits(*languages_of(pair), teacher_language)
