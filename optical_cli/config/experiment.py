"""An experiment, its remaining sections, and the rules between sections."""

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
from optical_cli.config.settings import (
    Count,
    Name,
    Number,
    Positive,
    Precision,
    Reg,
    Seed,
    Settings,
    SpeedOnly,
    as_tuple,
)
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
        raise ValueError(f"one of {', '.join(known)}")
    return name


def _checked_reference(value: object) -> object:
    try:
        return value if value in baseline_names() else _REG.validate_python(value)
    except ValidationError as error:  # replaces pydantic's two faults, one for each type, by one
        raise ValueError(f"a baseline ({', '.join(baseline_names())}) or a reg") from error


def _checked_template(text: str) -> str:
    fields = re.findall(r"\{(.*?)\}", text)
    if "text" not in fields or set(fields) - {"title", "text"}:
        raise ValueError("a template of {text} and, optionally, {title}")
    return text


_REG = TypeAdapter(Reg)
Baseline = Annotated[str, BeforeValidator(_checked_baseline)]
Reference = Annotated[str | float, BeforeValidator(_checked_reference)]
Storage = Literal["float16", "int8"]
Measures = Annotated[tuple[Annotated[str, AfterValidator(_checked_measure)], ...], Field(min_length=1)]


class Teacher(Settings):
    """The teacher: a frozen late-interaction encoder that is good in its own language.

    Attributes:
        model: Encoder: a folder, a Hugging Face id (`owner/name` or `owner/name@commit`), or `builtin:tiny-teacher`.
            Weights are read from safetensors only.
        language: Language code of the teacher. A side of a pair in this language is encoded by the teacher, any other
            by the student.
    """

    model: str
    language: str = "en"


class Encoding(Settings):
    """The encoding of texts as token embeddings, by teacher and student.

    Attributes:
        query_length: Longest query in tokens, special tokens included; the rest is cut off.
        document_length: Longest document in tokens, special tokens included; the rest is cut off.
        precision: Number format of the weights: `float32`, `bfloat16`, or `auto` for bfloat16 where it is measured to
            be faster.
        batch_size: Texts per batch.
    """

    query_length: Count = 64
    document_length: Count = 256
    precision: Precision = "float32"
    batch_size: Annotated[Count, SpeedOnly("the other texts of a batch change at most the last bits")] = 64


class Index(Settings):
    """The index: which tokens of the documents are stored, and how.

    Attributes:
        pool_factor: Factor by which token pooling reduces the tokens of a document: 2 keeps about half of them, each
            the mean of similar tokens; 1 keeps all.
        storage: Number format of the stored embeddings: `float16`, or `int8` with a scale for each token, which is half
            as large.
    """

    pool_factor: Annotated[Number, Field(ge=1)] = 1.0
    storage: Storage = "float16"

    def key_material(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults, as JSON values; older indexes keep their keys."""
        return self.model_dump(exclude_defaults=True)

    @property
    def name(self) -> str:
        """Part of labels and run tags, such as `pool2-int8`; "" for the default."""
        parts = {f"pool{self.pool_factor:g}": self.pool_factor > 1, self.storage: self.storage != "float16"}
        return "-".join(part for part, differs in parts.items() if differs)

    @property
    def in_words(self) -> str:
        """Description for reports, such as `tokens pooled by 2 (index.pool_factor)`; "" for the default."""
        pooled = f"tokens pooled by {self.pool_factor:g} (index.pool_factor)"
        parts = {pooled: self.pool_factor > 1, "embeddings stored as int8 (index.storage)": self.storage == "int8"}
        return ", ".join(part for part, differs in parts.items() if differs)


HUB_PARTS = {"dataset": "hf:", "config": "#", "split": ":", "revision": "@"}
"""What a mapping for a dataset of Hugging Face may have, and the sign before it in a text."""


def _as_source(value: object) -> object:
    """Write a mapping for a dataset as a text: `hf:OWNER/NAME#CONFIG:SPLIT@REVISION`."""
    if not isinstance(value, dict):
        return value
    faults = [f"{name}: unknown key; expected {', '.join(HUB_PARTS)}" for name in value if name not in HUB_PARTS]
    wrong = {name: part for name, part in {"dataset": None, **value}.items() if not isinstance(part, str)}
    faults += [f"{name}: expected a text, found {part!r}" for name, part in wrong.items() if name in HUB_PARTS]
    if faults:
        raise ValueError("\n".join(faults))
    parts = {"config": "", **value} if value.keys() - {"dataset"} else value
    return "".join(f"{sign}{parts[name]}" for name, sign in HUB_PARTS.items() if name in parts)


Collected = Annotated[str, BeforeValidator(_as_source)]
"""Documents, topics or judgements: a text, or a mapping for a dataset of Hugging Face."""


class Pair(CorpusSettings):
    """A language pair `q-d` (query language, document language): its documents, topics and judgements.

    Attributes:
        collection: Documents: an ir_datasets id, a folder with `docs.jsonl`, a folder of BEIR as `FOLDER#SPLIT`,
            `builtin:tiny`, or a dataset of Hugging Face as `hf:OWNER/NAME#CONFIG:SPLIT` or as `{dataset: OWNER/NAME,
            config: sw, split: dev, revision: COMMIT}`, of which only `dataset` is needed.
        topics: Topics: an ir_datasets id, a folder with `queries.tsv`, a TSV of `query_id TAB text`, or `builtin:tiny`;
            null for those of the collection.
        topic_text: Template of the topic fields to search with, such as `{title} {description}`; null for `{text}`, or
            `{title}` if topics have no text. Applies to topics of ir_datasets only.
        translated_by: Name of the translator of the topics, for manifests and reports; null for original topics.
        qrels: Relevance judgements: an ir_datasets id, a folder with `qrels.trec`, a TREC qrels file, or
            `builtin:tiny`; null for those of the collection.
        text: Template of the document text to encode, from `{title}` and `{text}`.
    """

    collection: Collected
    topics: Collected | None = None
    topic_text: Annotated[str, Field(pattern=r"\{\w+\}")] | None = None
    translated_by: Name | None = None
    qrels: Collected | None = None
    text: Annotated[str, AfterValidator(_checked_template)] = WHOLE_TEXT


class Evaluation(Settings):
    """The evaluation of runs, and the comparisons of a report.

    Attributes:
        measures: Measures to compute, such as `ndcg@10` or `map`. Reports draw and test ndcg@10, or else the first.
        reference: Baselines and values of reg that every reg is tested against; null for each baseline and reg inf.
        margin: Largest difference of the tested measure that is too small to matter, such as 0.01. Two settings are
            shown to be equivalent if the difference is shown to be smaller. Declare it before you see scores; null for
            no tests of equivalence.
        seed: Seed of the resampling that confidence intervals and significance tests use.
        low_resource: Low-resource languages. A report compares the pairs with one of these languages to the others.
    """

    measures: Measures = ("ndcg@10", "recall@100", "map", "mrr@10", "judged@10")
    reference: Annotated[tuple[Reference, ...] | None, BeforeValidator(as_tuple)] = None
    margin: Annotated[Positive, Field(lt=1)] | None = None
    seed: Seed = 13
    low_resource: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ()


class Experiment(Settings):
    """An experiment file.

    Attributes:
        name: Name of the experiment and of its report: up to 64 letters, digits, dots, dashes and underscores.
        teacher: The frozen encoder to learn from.
        student: The encoder that learns.
        encoding: How texts become token embeddings.
        bitext: Bitexts to learn from, one for each language that the student learns, by language code.
        transport: The optimal transport between tokens, with the grid of reg.
        training: The training of the student.
        pairs: Language pairs to evaluate, named `query language-document language`, such as `yo-en`.
        index: How the token embeddings of documents are stored.
        retrieval: The search of the index.
        bm25: Settings of the baseline `bm25`.
        translate: Settings of the baseline `translate`, by the language code of the topics.
        evaluation: Measures, and the comparisons of a report.
        seeds: Seeds of the training. Each seed trains its own students.
        baselines: Baselines to compare the transport with. `bm25` suits pairs of one language, `translate` pairs with
            topics in another language and documents in the teacher's.
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
        """Return the engine that searches a pair: candidates are always scored exactly."""
        return CANDIDATES if self.pairs[pair].mode.documents_per_topic else ENGINES[self.retrieval.engine]

    @property
    def stemmed_pairs(self) -> list[str]:
        """Pairs that a stemmer is needed for, by the baseline `bm25` or by their candidates."""
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
    """Return what is wrong between the languages of teacher, bitexts and pairs, one line for each fault."""
    faults = []
    for pair in pairs:
        if not _is_pair(pair):
            faults.append(f"pairs.{pair}: expected `query language-document language`, such as yo-en")
            continue
        faults += [
            f"pairs.{pair}: {language} is not the teacher's language ({teacher_language}) and has no "
            f"bitext; add bitext.{language}.source"
            for language in sorted(set(languages_of(pair)))
            if language != teacher_language and language not in bitext
        ]
    hint = "expected a language code such as sw or yo (quote `no`, which YAML reads as false)"
    return faults + [f"bitext.{code}: {hint}" for code in bitext if not _is_language(code)]


def _faults_of_lists(x: Experiment) -> Iterator[str]:
    low_resource = x.evaluation.low_resource
    lists: dict[str, tuple[Any, ...]] = {
        "transport.reg": x.transport.reg,
        "transport.targets": x.transport.targets or (),
    }
    lists |= {"seeds": x.seeds, "baselines": x.baselines}
    lists |= {"bm25.analyzers": x.bm25.analyzers, "evaluation.low_resource": low_resource}
    for key, values in lists.items():
        if len(set(values)) != len(values):
            yield f"{key}: duplicate value; list each value once"
    for reference in x.evaluation.reference or ():
        objective, values = x.transport.grid
        if reference not in (*x.baselines, *values):
            name = f"transport.{OBJECTIVES[objective].strength}"
            yield f"evaluation.reference: {reference} is neither in baselines nor in {name}; add it to one"
    used = sorted({language for pair in x.pairs for language in pair.split("-")})
    if unused := [language for language in low_resource if language not in used]:
        for language in unused:
            yield f"evaluation.low_resource: no pair has the language {language}; the pairs have {', '.join(used)}"
    elif low_resource and len(low_resource_pairs(low_resource, x.pairs)) == len(x.pairs):
        yield "evaluation.low_resource: every pair has one of these languages; remove some, or add other pairs"


def _faults_of_baselines(x: Experiment) -> Iterator[str]:
    teacher = x.teacher.language
    translatable = dict.fromkeys(languages_of(pair)[0] for pair in x.pairs if can_be_translated(pair, teacher))
    if TRANSLATE in x.baselines and not translatable:
        yield (
            f"baselines: translate: no pair has documents in the teacher's language ({teacher}) and topics in "
            "another; remove `translate`, or add such a pair"
        )
    for language in translatable if TRANSLATE in x.baselines else ():
        if language not in x.translate:
            yield (
                f"translate.{language}: missing, but needed by the baseline `translate`; add "
                f"translate.{language}.model, or topics and by"
            )
    for language in dict.fromkeys(languages_of(pair)[1] for pair in x.stemmed_pairs):
        if stemmer_of(language) is None:
            yield no_stemmer_for(language)
    for name, pair in x.pairs.items():
        if pair.candidates and x.bm25.analyzer_of(pair.candidates) and not in_one_language(name):
            yield (
                f"pairs.{name}.candidates: BM25 matches words, but topics and documents are in different languages; "
                "name a run file instead"
            )


def _is_language(code: str) -> bool:
    return re.fullmatch(r"[a-z]{2,3}(_[A-Za-z0-9]{2,8})?", code) is not None


def _is_pair(name: str) -> bool:
    languages = name.split("-")
    return len(languages) == 2 and all(map(_is_language, languages))


def low_resource_pairs(languages: Collection[str], pairs: Iterable[str]) -> list[str]:
    """Return the pairs with a low-resource language on either side."""
    return [pair for pair in pairs if set(pair.split("-")) & set(languages)]


def languages_of(pair: str) -> tuple[str, str]:
    """Return the query language and the document language of a valid pair name."""
    query, document = pair.split("-")
    return query, document


def in_one_language(pair: str) -> bool:
    """Return whether topics and documents of a pair are in the same language."""
    query, document = languages_of(pair)
    return query == document


def can_be_translated(pair: str, teacher_language: str) -> bool:
    """Return whether a pair has documents in the teacher's language, and topics in another to translate into it."""
    return OBJECTIVES[TRANSLATE].suits(*languages_of(pair), teacher_language)
