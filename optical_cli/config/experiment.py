"""An experiment: one frozen class a section, as the README documents them."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from optical_cli.config.bitext import Bitext
from optical_cli.config.bm25 import STEMMED, Bm25, no_stemmer_for, stemmer_of
from optical_cli.config.corpus import CorpusSettings
from optical_cli.config.index import Index
from optical_cli.config.measures import parse_measure
from optical_cli.config.objectives import BM25, OBJECTIVES, TRANSLATE, UNTRAINED, baseline_names
from optical_cli.config.retrieval import CANDIDATES, ENGINES, Retrieval, SearchEngine
from optical_cli.config.settings import (
    Count,
    Precision,
    Reg,
    Seed,
    Settings,
    SpeedOnly,
    as_several,
)
from optical_cli.config.student import Student
from optical_cli.config.training import Training
from optical_cli.config.translate import Translate
from optical_cli.config.transport import Transport
from optical_cli.errors import ConfigError

WHOLE_TEXT = "{title} {text}"

BATCHING = SpeedOnly("texts of a batch do not see each other: only a float's last bits move with it")


_LANGUAGE_HINT = "a language code such as sw or yo expected (quote `no`, which YAML reads as false)"


def _is_language(code: str) -> bool:
    return re.fullmatch(r"[a-z]{2,3}(_[A-Za-z0-9]{2,8})?", code) is not None


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


def _checked_reference(value: object, check: ValidatorFunctionWrapHandler) -> object:
    try:
        return check(value)
    except ValidationError as error:  # one line in place of one for each kind of reference
        raise ValueError(f"a baseline ({', '.join(baseline_names())}) or a reg") from error


def _checked_template(text: str) -> str:
    fields = re.findall(r"\{(.*?)\}", text)
    if "text" not in fields or set(fields) - {"title", "text"}:
        raise ValueError("a template with {text}, and {title} if wanted, expected")
    return text


Baseline = Annotated[str, BeforeValidator(_checked_baseline)]
Reference = Annotated[Baseline | Reg, WrapValidator(_checked_reference)]


class Teacher(Settings):
    """The frozen late-interaction encoder.

    Attributes:
        model: a folder, a Hugging Face id, or `builtin:tiny-teacher`.
        language: the language it is good in.
    """

    model: str
    language: str = "en"


class Encoding(Settings):
    """How texts become token embeddings, for teacher and student alike.

    Attributes:
        query_length: tokens of a query, special tokens included; the rest is cut off.
        document_length: the same of a document.
        precision: `auto` is bfloat16 where the processor has units for it, float32 elsewhere.
        batch_size: texts a batch.
    """

    query_length: Count = 64
    document_length: Count = 256
    precision: Precision = "float32"
    batch_size: Annotated[Count, BATCHING] = 64


class Pair(CorpusSettings):
    """A language pair `q-d`: where its documents, topics and judgements come from.

    Attributes:
        collection: an ir_datasets id, a folder, or `builtin:tiny`.
        topics: the same, or a TSV; null for those of the collection.
        topic_text: which fields of the topics are asked, such as `{title} {description}`; null for the usual one.
        translated_by: who or what translated the topics, for manifests and reports; null for topics that are none.
        qrels: the same, or a TREC qrels file; null for those of the collection.
        text: what of a document is encoded.
    """

    collection: str
    topics: str | None = None
    topic_text: Annotated[str, Field(pattern=r"\{\w+\}")] | None = None
    translated_by: Annotated[str, Field(min_length=1)] | None = None
    qrels: str | None = None
    text: Annotated[str, AfterValidator(_checked_template)] = WHOLE_TEXT


class Evaluation(Settings):
    """What is measured, and what a report tests.

    Attributes:
        measures: names such as ndcg@10, recall@100, map, mrr@10, judged@10.
        reference: what every reg is tested against: baselines and values of reg; null for each baseline and reg inf.
        seed: of the resampling behind intervals and tests.
        low_resource: languages whose pairs are set against the others; none for no such figure.
    """

    measures: Annotated[tuple[Annotated[str, AfterValidator(_checked_measure)], ...], Field(min_length=1)] = (
        "ndcg@10",
        "recall@100",
        "map",
        "mrr@10",
        "judged@10",
    )
    reference: Annotated[tuple[Reference, ...] | None, BeforeValidator(as_several)] = None
    seed: Seed = 13
    low_resource: Annotated[tuple[str, ...], BeforeValidator(as_several)] = ()


class Experiment(Settings):
    """A whole experiment file.

    Attributes:
        name: names the report; letters, digits, dot, dash and underscore.
        bitext: by foreign language.
        pairs: by `query language-document language`.
        seeds: of the training; each makes students of its own.
        translate: by the language of topics, for the baseline of that name.
        baselines: what stands beside the transport: other objectives; BM25 where topics and documents are in one
            language; translate where documents are in the teacher's and topics are not.
        base: the folder that relative paths of the file are taken from.
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
        for key, values in {
            "transport.reg": self.transport.reg,
            "seeds": self.seeds,
            "baselines": self.baselines,
            "bm25.analyzers": self.bm25.analyzers,
            "evaluation.low_resource": self.evaluation.low_resource,
        }.items():
            if len(set(values)) != len(values):
                faults.append(f"{key}: each value once, please: one stands there twice")
        for reference in self.evaluation.reference or ():
            if reference not in (*self.baselines, *self.transport.reg):
                faults.append(
                    f"evaluation.reference: {reference} is neither in baselines nor in transport.reg; add it to one"
                )
        faults += _faults_of_low_resource(self.evaluation.low_resource, self.pairs)
        if TRANSLATE in self.baselines:
            faults += _faults_of_translate(self.translate, self.teacher.language, self.pairs)
        faults += _faults_of_stemming(self.stemmed_pairs)
        faults += [
            f"pairs.{name}.candidates: BM25 matches words, and topics and documents are in different languages; "
            "give the file of another run"
            for name, pair in self.pairs.items()
            if pair.candidates and self.bm25.analyzer_of(pair.candidates) and not in_one_language(name)
        ]
        if faults:
            raise ValueError("\n".join(faults))
        return self


def faults_between_sections(teacher_language: str, bitext: Collection[str], pairs: Iterable[str]) -> list[str]:
    """What is wrong with the languages that sections name, a line each.

    Args:
        teacher_language: as the teacher's section has it.
        bitext: the languages that have one.
        pairs: the names of the language pairs.
    """
    faults = [fault for pair in pairs for fault in _faults_of_pair(pair, teacher_language, bitext)]
    return faults + [f"bitext.{code}: {_LANGUAGE_HINT}" for code in bitext if not _is_language(code)]


def _faults_of_pair(pair: str, teacher_language: str, bitext: Collection[str]) -> list[str]:
    languages = pair.split("-")
    if len(languages) != 2 or not all(_is_language(language) for language in languages):
        return [f"pairs.{pair}: `query language-document language` expected, such as yo-en"]
    return [
        f"pairs.{pair}: {language} is not the teacher's language ({teacher_language}) and has no "
        f"bitext; add bitext.{language}.source"
        for language in sorted(set(languages))
        if language != teacher_language and language not in bitext
    ]


def _faults_of_low_resource(languages: Collection[str], pairs: Collection[str]) -> list[str]:
    used = sorted({language for pair in pairs for language in pair.split("-")})
    faults = [
        f"evaluation.low_resource: {language} is in no pair of the experiment; it has {', '.join(used)}"
        for language in languages
        if language not in used
    ]
    if languages and not faults and len(low_resource_pairs(languages, pairs)) == len(pairs):
        faults.append("evaluation.low_resource: every pair has one of these languages; name fewer, or add other pairs")
    return faults


def _faults_of_translate(translate: Collection[str], teacher_language: str, pairs: Iterable[str]) -> list[str]:
    wanting = [pair for pair in pairs if can_be_translated(pair, teacher_language)]
    if not wanting:
        return [
            f"baselines: translate: no pair has documents in the teacher's language ({teacher_language}) and topics in "
            "another; leave it out, or add such a pair"
        ]
    languages = dict.fromkeys(languages_of(pair)[0] for pair in wanting)
    return [
        f"translate.{language}: expected, for translate is among the baselines; add translate.{language}.model, or "
        "topics and by"
        for language in languages
        if language not in translate
    ]


def _faults_of_stemming(pairs: Iterable[str]) -> list[str]:
    languages = dict.fromkeys(languages_of(pair)[1] for pair in pairs if len(pair.split("-")) == 2)
    return [no_stemmer_for(language) for language in languages if stemmer_of(language) is None]


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
    """Whether the topics of a pair, once they are in the teacher's language, are in that of its documents."""
    return OBJECTIVES[TRANSLATE].suits(*languages_of(pair), teacher_language)
