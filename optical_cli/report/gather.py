"""A study from the cache: the results of an experiment, what was found in them, and where they came from."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optical_cli.artifacts.result import Result, Setting
from optical_cli.cache.artifact import Artifact
from optical_cli.cache.keys import SHORT_DIGITS
from optical_cli.config.experiment import WHOLE_TEXT, Experiment, in_one_language, languages_of, low_resource_pairs
from optical_cli.config.measures import main_measure
from optical_cli.config.objectives import TRANSLATE
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.errors import ConfigError, DataError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import cells_of
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.translations import translator_of
from optical_cli.plan.planned import plan
from optical_cli.report.findings import Duel, duels, find
from optical_cli.report.published import Published, published_on
from optical_cli.report.study import Entry, Study
from optical_cli.report.text import listed
from optical_cli.report.training_curves import trainings
from optical_cli.report.what_was_run import untrained_start, what_was_run
from optical_cli.sweep.imported_runs import imported_runs
from optical_cli.sweep.results import cached_results, every_result


def cached_study(pipeline: Pipeline) -> Study:
    """Gather the cells that the cache holds scores of, and what was found in them; no artifact is made."""
    experiment, others = pipeline.experiment, list(imported_runs(pipeline))
    results = [*cached_results(pipeline), *(other.result for other in others)]
    evaluation, measures = experiment.evaluation, experiment.evaluation.measures
    low_resource = low_resource_pairs(evaluation.low_resource, experiment.pairs)
    findings = find(
        results, measures, main_measure(measures),
        reference=evaluation.reference, seed=evaluation.seed, low_resource=low_resource, margin=evaluation.margin,
    )  # fmt: skip
    translated = [cell.pair for cell in cells_of(experiment) if cell.objective == TRANSLATE]
    sources, made = pipeline.sources, {one.step.key.digest: one.artifact for one in plan(pipeline) if one.artifact}
    return Study(
        name=experiment.name, transport=experiment.transport.in_words,
        measures=measures, results=results, findings=findings,
        texts={moved.pair: _texts(sources, moved.pair) for moved in findings.moved},
        ledger=[_entry(artifact) for artifact in (*made.values(), *(other.artifact for other in others))],
        published=tuple(_published(experiment, sources)),
        translated={name: pair.translated_by for name, pair in experiment.pairs.items() if pair.translated_by},
        translators={pair: translator_of(experiment, pair) for pair in translated},
        what_was_run=what_was_run(pipeline, results, made), untrained_start=untrained_start(experiment),
        trainings=trainings(results),
    )  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A setting to compare, and its experiment; its `variant` tells two equal settings apart."""

    pipeline: Pipeline
    setting: Setting


def cached_duels(
    one: Side, other: Side, pairs: Collection[str]
) -> tuple[tuple[Duel, ...], dict[str, Mapping[str, str]]]:
    """Compare two settings on pairs that both experiments have, by the tested measure.

    Returns:
        the comparisons, and the texts of the topics by pair and topic id.

    Raises:
        ConfigError: the first experiment lacks the tested measure of the second.
        DataError: the two differ in topics, judgements or documents.
    """
    measure, evaluation = measure_of_both(one, other), other.pipeline.experiment.evaluation
    every = {pipeline: every_result(pipeline) for pipeline in (one.pipeline, other.pipeline)}
    results: list[Result] = []
    for pair in pairs:
        own, theirs = (_scored(every[side.pipeline], side.setting, pair) for side in (one, other))
        if own and theirs:
            _check_topics([*own, *theirs])
            if one.pipeline is not other.pipeline:
                _check_same(one.pipeline, other.pipeline, pair)
            results += _of_shared_seeds(own, theirs)
    found = duels(results, one.setting, other.setting, measure, evaluation.seed, evaluation.margin)
    texts = {duel.comparison.pair: _texts(other.pipeline.sources, duel.comparison.pair) for duel in found}
    return found, texts


def measure_of_both(one: Side, other: Side) -> str:
    """Return the measure that the second experiment tests; ConfigError if the first does not have it."""
    known, wanted = (side.pipeline.experiment.evaluation.measures for side in (one, other))
    measure = main_measure(wanted)
    if measure not in known:
        raise ConfigError(
            f"evaluation.measures: {measure}, the measure to compare by, is missing in the experiment of "
            f"{one.setting.label}; it has {', '.join(known)}"
        )
    return measure


def _scored(results: Iterable[Result], setting: Setting, pair: str) -> list[Result]:
    named = [result for result in results if (result.objective, result.reg) == (setting.objective, setting.reg)]
    return [replace(result, variant=setting.variant) for result in named if result.scores and result.pair == pair]


def _of_shared_seeds(own: Sequence[Result], theirs: Sequence[Result]) -> list[Result]:
    """Drop the seeds that one side lacks, so that means and differences are over the same seeds.

    A single seed is compared with every seed of the other side; two sides that share no seed keep all of theirs.
    """
    seeds = {result.seed for result in own} & {result.seed for result in theirs}
    if not seeds or 1 in (len(own), len(theirs)):
        return [*own, *theirs]
    return [result for result in (*own, *theirs) if result.seed in seeds]


def _check_topics(results: Iterable[Result]) -> None:
    first: dict[str, frozenset[str]] = {}
    for result in results:
        if result.scores is None:
            continue
        asked = frozenset(topic for of_one in result.scores.per_topic.values() for topic in of_one)
        if asked != first.setdefault(result.pair, asked):
            raise DataError(
                f"{result.pair}: {result.setting.label} was scored on other topics; both settings need the same topics "
                "and judgements"
            )


def _check_same(one: Pipeline, other: Pipeline, pair: str) -> None:
    """Refuse scores on other documents or judgements: equal topic ids do not make equal topics."""
    own, theirs = _of_what(one, pair), _of_what(other, pair)
    if differing := [name for name, content in own.items() if content != theirs[name]]:
        raise DataError(
            f"{pair}: the {listed(differing)} of the two experiments differ; compare experiments that share them, so "
            "that a difference comes from the settings alone"
        )


def _of_what(pipeline: Pipeline, pair: str) -> dict[str, Any]:
    """Return what two runs of a pair must share for their scores to compare; the topics' words may differ."""
    sources = pipeline.sources
    return {
        "collections": sources.fingerprint(sources.documents(pair)),
        "corpora": pipeline.corpus(pair).identity,
        "judgements": sources.fingerprint(sources.judgements(pair)),
    }


def _published(experiment: Experiment, sources: Sources) -> Iterator[Published]:
    same_formula = (experiment.bm25.k1, experiment.bm25.b) == (0.9, 0.4) and experiment.retrieval.depth >= 100
    for name, pair in experiment.pairs.items():
        parts = (sources.documents(name), sources.topics(name), sources.judgements(name))
        ids = [part.name for part in parts if isinstance(part, IrDataset)]
        if len(ids) == len(parts) and pair.corpus == "full" and in_one_language(name):
            ours = same_formula and pair.text == WHOLE_TEXT
            yield from published_on(name, languages_of(name)[0], *ids, our_bm25_is_theirs=ours)


def _texts(sources: Sources, pair: str) -> Mapping[str, str]:
    """Return the topics of a pair; none if they cannot be read: a report can do without their texts."""
    try:
        return sources.topics(pair).topics()
    except DataError:
        return {}


def _entry(artifact: Artifact) -> Entry:
    manifest = artifact.manifest
    return Entry(
        kind=artifact.kind, label=manifest["label"], key=manifest["key"][:SHORT_DIGITS],
        seconds=float(manifest["seconds"]), size=artifact.size, tokens=manifest["health"].get("tokens"),
        created=manifest["created"], commit=manifest.get("git"), versions=manifest.get("versions", {}),
    )  # fmt: skip
