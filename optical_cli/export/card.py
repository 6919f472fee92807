"""The model card of a student: what it was made from, how it was trained, and the scores that the cache has."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from optical_cli.artifacts.result import HEALTH
from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.artifact import Artifact
from optical_cli.config.corpus import CORPUS_MODES, CorpusMode
from optical_cli.config.objectives import TARGETS, objective_of
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.data.paths import PREFIX, local_path
from optical_cli.errors import ConfigError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, student_of
from optical_cli.transport.solvers import format_reg

CARD_FILE = "README.md"
TAGS = [
    "sentence-transformers",
    "multi-vector",
    "late-interaction",
    "ColBERT",
    "cross-lingual-retrieval",
    "optimal-transport",
]
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*", re.ASCII)
HERE = "."  # the path in the card's example for a model that is not on the hub
HELD_OUT = {
    "p@1": "P@1 of finding a translation by MaxSim",
    "transport_cost": "cost of the exact transport",
    "token_cosine": "mean cosine between tokens of a sentence",
}
MARKUP = re.compile(r"[\\`*\[\]<>|#~&]|(?<![^\W_])_|_(?![^\W_])")
"""Characters to escape in Markdown. An underscore within a word needs no escape."""


@dataclass(frozen=True)
class License:
    """The licence of a student, as the user stated it."""

    identifier: str | None = None  # of the hub, such as cc-by-4.0, or `other`; None if the user stated none
    name: str | None = None  # name of a licence without an identifier on the hub
    link: str | None = None  # address of its text


@dataclass(frozen=True)
class TrainedOn:
    """A bitext that a student was trained on, without paths of this machine."""

    language: str  # the foreign language
    name: str  # name of the source; of a file, without its folder
    pairs: int  # sentence pairs trained on
    held_out: int  # sentence pairs held out
    digest: str  # SHA-256 of the content, 64 hex digits


@dataclass(frozen=True)
class Measured:
    """The scores of a cell in the cache."""

    pair: str
    collection: str  # of a folder, its name without the path
    corpus: str  # `full`, or the corpus mode with its settings
    mode: CorpusMode
    topics: int  # judged topics that the means are over
    means: Mapping[str, float]  # by measure
    depth: int  # documents kept for a topic


@dataclass(frozen=True)
class Facts:
    """The facts in a model card."""

    name: str
    loaded_as: str  # an id of the hub, or `HERE`
    languages: Sequence[str]  # languages of the student
    teacher: str  # an id of the hub, or the name of a folder
    student: str  # the encoder that the student started from: an id of the hub, or the name of a folder
    base_model: str | None  # the encoder that the student started from, if it is on the hub
    teacher_language: str
    objective: str
    reg: str | None  # None for a baseline
    transport: Mapping[str, Any] | None  # settings that decide the result; None for an objective without transport
    training: Mapping[str, Any] | None  # settings that decide the result; None for a student without training
    encoding: Mapping[str, Any]
    seed: int
    bitexts: Sequence[TrainedOn]
    health: Mapping[str, Any]  # from the manifest
    doubtful: bool  # whether more plans missed their threshold than are tolerated
    scores: Sequence[Measured]
    key: str  # of the checkpoint, 64 hex digits
    versions: Mapping[str, str | None]  # of the software that made the checkpoint
    license: License


def gather_facts(
    pipeline: Pipeline, cell: Cell, checkpoint: Artifact, stated_license: License, repo: str | None = None
) -> Facts:
    """Gather the facts of a card from the experiment and the cache.

    Args:
        pipeline: of the experiment.
        cell: the cell of the student.
        checkpoint: the student.
        stated_license: the licence that the user stated.
        repo: repository on the hub that the model goes to; None for a folder only.

    Raises:
        ConfigError: the pair of the cell has no student.
    """
    x = pipeline.experiment
    student = student_of(x, cell.pair)
    if student is None:
        raise ConfigError(f"--pair {cell.pair}: the teacher encodes both sides, so there is no student to export")
    transport = None
    if cell.reg is not None:  # the solver is named even where it cannot change the plans and the key leaves it out
        targets = cell.objective == TARGETS
        material = x.transport.key_material_of_targets if targets else x.transport.key_material_of
        transport = {"solver": x.transport.solver, **material(cell.reg)}
    health, start = checkpoint.manifest["health"], x.student.init if x.student.init != "teacher" else x.teacher.model
    return Facts(
        name=(repo or f"{x.name}-{student.name}-{cell.name}").rsplit("/", 1)[-1],
        loaded_as=repo or HERE,
        languages=student.languages,
        teacher=_public_name(x.teacher.model, x.base),
        student=_public_name(start, x.base),
        base_model=start if HUB_ID.fullmatch(start) and local_path(start, x.base) is None else None,
        teacher_language=x.teacher.language,
        objective=cell.objective,
        reg=None if cell.reg is None else format_reg(health.get("reg_found", cell.reg)),
        transport=transport,
        training=checkpoint.manifest["material"].get("training"),
        encoding=x.encoding.key_material(),
        seed=cell.seed,
        bitexts=list(_trained_on(pipeline, student.languages)) if cell.is_trained else [],
        health=health,
        doubtful=health.get("unconverged", 0) > TOLERATED_SHARE * health.get("plans", 0),
        scores=list(_measured(pipeline, cell, checkpoint)),
        key=checkpoint.manifest["key"],
        versions=checkpoint.manifest["versions"],
        license=stated_license,
    )


def _public_name(source: str, base: Path) -> str:
    """Return an id of the hub as it is, and a file or folder without its path, which a card must not disclose."""
    names = []
    for part in source.split(" + "):
        name = part.removeprefix(PREFIX)
        is_path = local_path(name, base) is not None
        names.append((Path(name.rstrip("/")).name or base.absolute().name) if is_path else name)
    return " + ".join(names)


def _trained_on(pipeline: Pipeline, languages: tuple[str, ...]) -> Iterator[TrainedOn]:
    sources = pipeline.sources
    for language in languages:
        split, bitext = sources.split(language), sources.bitext(language)
        yield TrainedOn(
            language=language,
            name=_public_name(bitext.name, pipeline.experiment.base),
            pairs=len(split.train),
            held_out=len(split.pairs) - len(split.train),
            digest=str(sources.bitext_material(language)["content"]),
        )


def _measured(pipeline: Pipeline, cell: Cell, checkpoint: Artifact) -> Iterator[Measured]:
    """Yield the scores in the cache of all pairs that this checkpoint was evaluated on."""
    x = pipeline.experiment
    for name, pair in x.pairs.items():
        other = replace(cell, pair=name)
        if student_of(x, name) is None or pipeline.checkpoint(other).key.digest != checkpoint.manifest["key"]:
            continue
        if found := pipeline.cache.find(*pipeline.scores(other).address):
            scores = read_scores(found.folder / "scores.json")
            means = {measure: scores.means[measure] for measure in x.evaluation.measures}
            corpus = ", ".join(filter(None, [pair.corpus_name, x.engine_of(name).note, x.index.in_words]))
            collection = _public_name(pair.collection, x.base)
            yield Measured(name, collection, corpus, pair.mode, scores.topics, means, x.retrieval.depth)


def write_card(facts: Facts, dimensions: int, no_pylate: str | None) -> str:
    """Write the text of README.md.

    Args:
        facts: the facts of the card.
        dimensions: dimensions of a token embedding.
        no_pylate: why PyLate cannot load the model; None if it can.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # does not escape again what `finalize` has escaped
        finalize=lambda value: value if isinstance(value, Markup) else Markup(_escape(_in_words(value))),  # noqa: S704
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("card.md.jinja").render(
        facts=facts,
        header=Markup(_header(facts)),  # noqa: S704 - YAML, quoted by the hub's own library
        here=HERE,
        dimensions=dimensions,
        no_pylate=no_pylate,
        objective=objective_of(facts.objective),
        health_words=HEALTH,
        held_out_words=HELD_OUT,
        cautions=[mode.caution for mode in CORPUS_MODES.values() if mode in {score.mode for score in facts.scores}],
    )


def _header(facts: Facts) -> str:
    data = ModelCardData(
        language=[code.replace("_", "-") for code in facts.languages],
        license=facts.license.identifier,
        license_name=facts.license.name,
        license_link=facts.license.link,
        library_name="sentence-transformers",
        pipeline_tag="feature-extraction",  # as in the library's cards of multi-vector encoders
        tags=TAGS,
        base_model=facts.base_model,
    )
    return data.to_yaml().strip()


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_words(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _escape(text: str) -> str:
    """Escape a text for Markdown, so that it shows as it is, on one line, also in a table."""
    return MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
