"""An experiment: one frozen class a section, as the README documents them."""

import math
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from optical_cli.config.settings import (
    SMALLEST_REG,
    Bytes,
    Count,
    CountFromZero,
    Flag,
    Number,
    Positive,
    Regs,
    Seed,
    Settings,
    Share,
    Sources,
    SpeedOnly,
)
from optical_cli.errors import ConfigError
from optical_cli.measures import parse_measure

Precision = Literal["auto", "float32", "bfloat16"]
Objective = Literal["transport", "pooled_mse", "greedy", "none"]
Baseline = Literal["none", "pooled_mse", "greedy"]
Solver = Literal["sinkhorn", "exact", "proximal", "unbalanced", "quadratic"]

DEFAULT_REGS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)

TOLERATED_SHARE = 0.01
"""Share of the plans of a training that may miss the threshold before `on_unconverged` is asked."""

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


def _checked_template(text: str) -> str:
    fields = re.findall(r"\{(.*?)\}", text)
    if "text" not in fields or set(fields) - {"title", "text"}:
        raise ValueError("a template with {text}, and {title} if wanted, expected")
    return text


class Teacher(Settings):
    """The frozen late-interaction encoder.

    Attributes:
        model: a folder, a Hugging Face id, or `builtin:tiny-teacher`.
        language: the language it is good in.
    """

    model: str
    language: str = "en"


class WarmStart(Settings):
    """A closed-form start of the projection of a student that comes from another space than the teacher.

    Attributes:
        sentences: how many sentences of the bitext's teacher side the ridge regression sees.
        ridge: the ridge penalty, relative to the mean eigenvalue of the tokens' covariance.
    """

    sentences: Count = 2000
    ridge: Positive = 1e-3


class Student(Settings):
    """The encoder that learns.

    Attributes:
        init: `teacher` (a copy of it, as in the paper), a folder or a Hugging Face id.
        warm_start: how the projection of another encoder than the teacher starts; null for an encoder
            that is multi-vector already and lives in the teacher's space.
        freeze_embeddings: leave the word embeddings as they are.
    """

    init: str = "teacher"
    warm_start: WarmStart | None = WarmStart()
    freeze_embeddings: Flag = False


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


class Bitext(Settings):
    """Sentences in the teacher's language and their translations.

    Attributes:
        source: a TSV, two line-aligned files (plain or .gz), or `builtin:tiny`.
        max_pairs: train on at most so many, a seeded sample; null for all.
        held_out: so many pairs are kept from training and watched.
    """

    source: Sources
    max_pairs: Count | None = None
    held_out: CountFromZero = 500


class Anneal(Settings):
    """A regularization that falls while the student learns.

    Attributes:
        start: reg of the first step (`from` in the file); a cell whose own reg is not below it is not annealed.
        share: of the steps over which reg falls, by the same factor a step, to the cell's own.
    """

    start: Annotated[Number, Field(alias="from", ge=SMALLEST_REG)] = 1.0
    share: Annotated[Number, Field(gt=0, le=1)] = 0.5


class Transport(Settings):
    """The optimal transport between the tokens of a sentence and those of its translation.

    Attributes:
        solver: `sinkhorn` (entropic), `exact`, `proximal` (inexact proximal steps of size reg), `unbalanced`
            (entropic, marginals relaxed) or `quadratic` (sparse plans).
        reg_marginal: what a missed marginal costs `unbalanced`, in units of the cost.
        steps: of `proximal`.
        reg: one strength of the regularization or several, in units of the cost (cosine distance); by default all
            of the grid that the solver takes.
        marginals: the mass of each token; `uniform`, or `idf`: rare tokens weigh more.
        threshold: a plan has converged when its marginals are off by no more than this (L1).
        max_iterations: after so many a plan is given up as unconverged.
        on_unconverged: what happens when more than 1 % of the plans are.
        anneal: how reg falls to a cell's own while the student learns; null for the same reg at every step.
    """

    solver: Solver = "sinkhorn"
    reg_marginal: Positive = 1.0
    steps: Count = 10
    reg: Regs = DEFAULT_REGS
    marginals: Literal["uniform", "idf"] = "uniform"
    threshold: Annotated[Positive, Field(lt=1)] = 1e-5
    max_iterations: Count = 10_000
    on_unconverged: Literal["fail", "warn"] = "fail"
    anneal: Anneal | None = None

    @model_validator(mode="before")
    @classmethod
    def _regs_of_the_solver(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "reg" in given:
            return given
        steps = given.get("steps")
        known: dict[str, Any] = {"steps": steps} if type(steps) is int and steps > 0 else {}  # else told later
        asked = cls.model_construct(solver=given.get("solver", "sinkhorn"), **known)
        return {**given, "reg": [reg for reg in DEFAULT_REGS if not asked.fault_of(reg)]}

    @model_validator(mode="after")
    def _settings_agree(self) -> Self:
        faults = [f"reg: {fault}" for reg in self.reg if (fault := self.fault_of(reg))]
        if self.anneal and self.solver == "exact":
            faults.append("anneal: the solver exact has no reg that could fall; sinkhorn with reg 0 expected")
        elif self.anneal and self.anneal.start < self.smallest_reg:
            faults.append(
                f"anneal.from: at least {self.smallest_reg:g} expected ({self.steps} proximal steps, and "
                f"reg / steps is at least {SMALLEST_REG}), found {self.anneal.start:g}"
            )
        if faults:
            raise ValueError("\n".join(faults))
        return self

    @property
    def smallest_reg(self) -> float:
        """The smallest reg above 0 that the solver takes."""
        if self.solver != "proximal":
            return SMALLEST_REG
        smallest = SMALLEST_REG * self.steps
        return smallest if smallest / self.steps >= SMALLEST_REG else math.nextafter(smallest, math.inf)

    def fault_of(self, reg: float) -> str | None:
        """Why the solver does not take a reg that is one by itself; None if it does."""
        if self.solver == "exact" and reg != 0:
            return f"0 alone expected with the solver exact, found {reg:g}; leave reg out, or take another solver"
        if self.solver == "unbalanced" and reg == 0:
            return f"at least {SMALLEST_REG} expected with the solver unbalanced, found 0"
        if 0 < reg < self.smallest_reg:
            return (
                f"0 or at least {self.smallest_reg:g} expected with {self.steps} proximal steps (reg / steps is at "
                f"least {SMALLEST_REG}), found {reg:g}; raise reg or lower transport.steps"
            )
        return None

    def anneals(self, reg: float) -> bool:
        """Whether a cell of this reg begins at a larger one."""
        return self.anneal is not None and reg < self.anneal.start

    def iterates(self, reg: float) -> bool:
        """Whether a solver iterates at this reg; the exact plan and the product of the marginals need none."""
        return reg != 0 and not math.isinf(reg)

    def solve_arguments(self, reg: float) -> dict[str, Any]:
        """What `transport.solve` is told besides problem and reg; nothing where nothing iterates."""
        if not self.iterates(reg):
            return {}
        own = {"unbalanced": ["reg_marginal"], "proximal": ["steps"]}.get(self.solver, [])
        return {name: getattr(self, name) for name in ("solver", "threshold", "max_iterations", *own)}

    @property
    def in_words(self) -> str:
        """How plans are solved, as a report has it: `sinkhorn, uniform marginals`."""
        own = {"unbalanced": f" (reg_marginal {self.reg_marginal:g})", "proximal": f" ({self.steps} steps)"}
        words = f"{self.solver}{own.get(self.solver, '')}, {self.marginals} marginals"
        if self.anneal is None:
            return words
        return f"{words}, reg falling from {self.anneal.start:g} over {self.anneal.share:.0%} of the steps"

    def deciding_of(self, reg: float) -> dict[str, Any]:
        """Those of the settings that can change the student of a reg, as JSON values: key material."""
        material: dict[str, Any] = {"reg": reg, "marginals": self.marginals}
        first = reg
        if self.anneal is not None and self.anneals(reg):
            material["anneal"] = {"from": self.anneal.start, "share": self.anneal.share}
            first = self.anneal.start
        if self.iterates(first):
            material |= {**self.solve_arguments(first), "on_unconverged": self.on_unconverged}
        return material


class Training(Settings):
    """The training of the student.

    Attributes:
        epochs: passes over the bitext.
        batch_size: sentence pairs a step.
        learning_rate: the peak; it rises over `warmup` and falls linearly to zero.
        warmup: share of the steps over which the learning rate rises.
        weight_decay: AdamW's.
        max_length: tokens of a sentence while training; the rest is cut off on both sides.
        precision: `auto` is bfloat16 where the processor has units for it, float32 elsewhere.
        log_every: steps between two lines of training.jsonl.
        watch: how many times the held-out bitext is looked at while training, besides start and end.
    """

    epochs: Positive = 1
    batch_size: Count = 64
    learning_rate: Positive = 2e-4
    warmup: Share = 0.1
    weight_decay: Annotated[Number, Field(ge=0)] = 0.01
    max_length: Count = 64
    precision: Precision = "float32"
    log_every: Annotated[Count, SpeedOnly("it only says how often the log is written")] = 10
    watch: Annotated[CountFromZero, SpeedOnly("looking at the held-out bitext draws no random number")] = 1


class Pair(Settings):
    """A language pair `q-d`: where its documents, topics and judgements come from.

    Attributes:
        collection: an ir_datasets id, a folder, or `builtin:tiny`.
        topics: the same, or a TSV; null for those of the collection.
        qrels: the same, or a TREC qrels file; null for those of the collection.
        corpus: `full`, or `pooled`: every judged document and `pool_size` random others.
        pool_size: random documents of a pooled corpus.
        pool_seed: draws them.
        text: what of a document is encoded.
    """

    collection: str
    topics: str | None = None
    qrels: str | None = None
    corpus: Literal["full", "pooled"] = "full"
    pool_size: CountFromZero = 5000
    pool_seed: Seed = 13
    text: Annotated[str, AfterValidator(_checked_template)] = "{title} {text}"

    @property
    def corpus_name(self) -> str:
        """The corpus mode as tables show it: `full` or `pooled 5000`."""
        return "full" if self.corpus == "full" else f"pooled {self.pool_size}"


class Retrieval(Settings):
    """The search.

    Attributes:
        engine: `exact`, MaxSim over every document.
        depth: documents kept for a topic.
        memory: what a block of the search may take.
    """

    engine: Literal["exact"] = "exact"
    depth: Count = 100
    memory: Annotated[Bytes, SpeedOnly("only a float's last bits move with the block")] = 1 << 30


class Evaluation(Settings):
    """What is measured.

    Attributes:
        measures: names such as ndcg@10, recall@100, map, mrr@10, judged@10.
    """

    measures: Annotated[tuple[Annotated[str, AfterValidator(_checked_measure)], ...], Field(min_length=1)] = (
        "ndcg@10",
        "recall@100",
        "map",
        "mrr@10",
        "judged@10",
    )


class Experiment(Settings):
    """A whole experiment file.

    Attributes:
        name: names the report; letters, digits, dot, dash and underscore.
        bitext: by foreign language.
        pairs: by `query language-document language`.
        seeds: of the training; each makes students of its own.
        baselines: objectives that stand beside the transport.
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
    retrieval: Retrieval = Retrieval()
    evaluation: Evaluation = Evaluation()
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (13,)
    baselines: tuple[Baseline, ...] = ("none",)
    base: Annotated[Path, Field(exclude=True)] = Path()

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        faults = faults_between_sections(self.teacher.language, self.bitext, self.pairs)
        for key, values in {
            "transport.reg": self.transport.reg,
            "seeds": self.seeds,
            "baselines": self.baselines,
        }.items():
            if len(set(values)) != len(values):
                faults.append(f"{key}: each value once, please: one stands there twice")
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


def languages_of(pair: str) -> tuple[str, str]:
    """The query language and the document language of a checked pair name."""
    query, document = pair.split("-")
    return query, document
