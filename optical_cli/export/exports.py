"""What is known of a checkpoint that somebody is to have, gathered from its experiment and the cache."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.artifact import Artifact
from optical_cli.config.experiment import Experiment
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.data.paths import PREFIX, local_path
from optical_cli.errors import ConfigError
from optical_cli.export.card import HERE, Facts, License, Measured, TrainedOn
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, student_of


def gather_facts(
    pipeline: Pipeline, cell: Cell, checkpoint: Artifact, license_said: License, repo: str | None = None
) -> Facts:
    """The facts of a card.

    Args:
        pipeline: of the experiment.
        cell: one that the checkpoint belongs to.
        checkpoint: of the cell.
        license_said: by the user.
        repo: where on the hub it goes, if it goes there.

    Raises:
        ConfigError: the pair of the cell has no student.
    """
    x = pipeline.experiment
    student = student_of(x, cell.pair)
    if student is None:
        raise ConfigError(f"--pair {cell.pair}: the teacher encodes both sides; there is no student to export")
    health, start = checkpoint.manifest["health"], x.student.init if x.student.init != "teacher" else x.teacher.model
    return Facts(
        name=(repo or f"{x.name}-{student.name}-{cell.name}").rsplit("/", 1)[-1],
        loaded_as=repo or HERE,
        languages=student.languages,
        teacher=public_name(x.teacher.model, x.base),
        student=public_name(start, x.base),
        base_model=start if _on_hub(start, x.base) else None,
        teacher_language=x.teacher.language,
        objective=cell.objective,
        reg=None if cell.reg is None else f"{cell.reg:g}",
        transport=_transport(x, cell),
        training=checkpoint.manifest["material"].get("training"),
        encoding=x.encoding.deciding(),
        seed=cell.seed,
        bitexts=list(_trained_on(pipeline, student.languages)) if cell.is_trained else [],
        health=health,
        doubtful=health.get("unconverged", 0) > TOLERATED_SHARE * health.get("plans", 0),
        scores=list(_measured(pipeline, cell, checkpoint)),
        key=checkpoint.manifest["key"],
        versions=checkpoint.manifest["versions"],
        license=license_said,
    )


def public_name(source: str, base: Path) -> str:
    """A source without what only this machine knows: a hub id as it is, a file or a folder by its last name."""
    parts = [part.removeprefix(PREFIX) for part in source.split(" + ")]
    return " + ".join(part if local_path(part, base) is None else _last_name(part, base) for part in parts)


def _last_name(path: str, base: Path) -> str:
    return Path(path.rstrip("/")).name or base.absolute().name  # `.`


def _on_hub(source: str, base: Path) -> bool:
    named = re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", source, re.ASCII) is not None
    return named and local_path(source, base) is None


def _transport(experiment: Experiment, cell: Cell) -> dict[str, Any] | None:
    """Solver and marginals in any case: of a plan that needs no iterations the key does not name them all."""
    if cell.reg is None:
        return None
    return {"solver": experiment.transport.solver, **experiment.transport.deciding_of(cell.reg)}


def _trained_on(pipeline: Pipeline, languages: tuple[str, ...]) -> Iterator[TrainedOn]:
    sources = pipeline.sources
    for language in languages:
        split, bitext = sources.split(language), sources.bitext(language)
        yield TrainedOn(
            language=language,
            name=public_name(bitext.name, pipeline.experiment.base),
            pairs=len(split.train),
            held_out=len(split.pairs) - len(split.train),
            digest=str(sources.bitext_material(language)["content"]),
        )


def _measured(pipeline: Pipeline, cell: Cell, checkpoint: Artifact) -> Iterator[Measured]:
    """The scores of every pair that this very checkpoint was measured on, of those that the cache holds."""
    x = pipeline.experiment
    for name, pair in x.pairs.items():
        if student_of(x, name) is None:
            continue
        other = replace(cell, pair=name)
        if pipeline.checkpoint(other).key.digest != checkpoint.manifest["key"]:
            continue
        step = pipeline.scores(other)
        found = pipeline.cache.find(*step.address)
        if found is not None:
            scores = read_scores(found.folder / "scores.json")
            means = {measure: scores.means[measure] for measure in x.evaluation.measures}
            collection = public_name(pair.collection, x.base)
            how = [x.engine_of(name).note, x.index.in_words]
            corpus = ", ".join(filter(None, [pair.corpus_name, *how]))
            yield Measured(name, collection, corpus, scores.topics, means, x.retrieval.depth)
