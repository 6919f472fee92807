"""The model card: what a student is, what it was made from, and how well it did, as far as the cache knows."""

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
from optical_cli.config.objectives import objective_of
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.data.paths import PREFIX, local_path
from optical_cli.errors import ConfigError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, student_of

CARD_FILE = "README.md"
TAGS = [
    "sentence-transformers", "multi-vector", "late-interaction", "ColBERT", "cross-lingual-retrieval",
    "optimal-transport",
]  # fmt: skip
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*", re.ASCII)
HERE = "."  # how the card's code loads a model that is on no hub
HELD_OUT = {"p@1": "P@1 of finding a translation by MaxSim", "transport_cost": "cost of the exact transport"}
MARKUP = re.compile(r"[\\`*\[\]<>|#~&]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown does not show as it is; an underscore within a word is harmless."""


@dataclass(frozen=True)
class License:
    """The licence that the user stated; nothing is guessed."""

    identifier: str | None = None  # the hub's, such as cc-by-4.0, or `other`; None if nothing was stated
    name: str | None = None  # of one that the hub does not know
    link: str | None = None  # to its text


@dataclass(frozen=True)
class TrainedOn:
    """A bitext as others may know it."""

    language: str  # the foreign one
    name: str  # of the source; a file's name without its folder
    pairs: int  # sentence pairs that were trained on
    held_out: int
    digest: str  # SHA-256 of the content, 64 hex digits


@dataclass(frozen=True)
class Measured:
    """The scores of a cell that the cache holds."""

    pair: str
    collection: str  # a folder's name without the path
    corpus: str  # `full`, or `pooled` and the size of the pool
    mode: CorpusMode
    topics: int  # judged topics that the means are over
    means: Mapping[str, float]  # by measure
    depth: int  # documents kept for a topic


@dataclass(frozen=True)
class Facts:
    """All that a card tells."""

    name: str
    loaded_as: str  # a hub id, or `HERE`
    languages: Sequence[str]  # that the student has learned
    teacher: str  # a hub id or a folder's name
    student: str  # where it started
    base_model: str | None  # where it started, if that is on the hub
    teacher_language: str
    objective: str
    reg: str | None  # None for a baseline
    transport: Mapping[str, Any] | None  # the settings that decide the result; None where there was none
    training: Mapping[str, Any] | None
    encoding: Mapping[str, Any]
    seed: int
    bitexts: Sequence[TrainedOn]
    health: Mapping[str, Any]  # of the manifest
    doubtful: bool  # whether more plans missed their threshold than are tolerated
    scores: Sequence[Measured]
    key: str  # of the checkpoint, 64 hex digits
    versions: Mapping[str, str | None]  # of the software that made it
    license: License


def gather_facts(
    pipeline: Pipeline, cell: Cell, checkpoint: Artifact, license_said: License, repo: str | None = None
) -> Facts:
    """Gather the facts of a card from the experiment and the cache; `repo` is where on the hub the model goes.

    Raises:
        ConfigError: the pair of the cell has no student.
    """
    x = pipeline.experiment
    student = student_of(x, cell.pair)
    if student is None:
        raise ConfigError(f"--pair {cell.pair}: the teacher encodes both sides; there is no student to export")
    transport = None
    if cell.reg is not None:  # the solver is named even where it cannot change the plans and the key leaves it out
        transport = {"solver": x.transport.solver, **x.transport.key_material_of(cell.reg)}
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
        reg=None if cell.reg is None else f"{cell.reg:g}",
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
        license=license_said,
    )


def _public_name(source: str, base: Path) -> str:
    """A hub id as it is, a file or a folder by its last name: a card names no path of this machine."""
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
    """The scores in the cache of every pair that this very checkpoint was measured on."""
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
    """The text of README.md; `no_pylate` says why PyLate cannot load the model, None that it can."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # leaves alone what `finalize` has escaped
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
        cautions=[mode.caution for mode in CORPUS_MODES.values() if mode in {one.mode for one in facts.scores}],
    )


def _header(facts: Facts) -> str:
    data = ModelCardData(
        language=[code.replace("_", "-") for code in facts.languages],
        license=facts.license.identifier,
        license_name=facts.license.name,
        license_link=facts.license.link,
        library_name="sentence-transformers",
        pipeline_tag="feature-extraction",  # as in the library's own cards of multi-vector encoders
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
    """Text from data as inline Markdown that shows as it is, in a table cell too: one line, no markup."""
    return MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
