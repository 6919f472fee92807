"""What the cache holds of an experiment, and what it says."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from optical_cli.cache.artifact import Artifact
from optical_cli.cache.keys import SHORT_DIGITS
from optical_cli.cells import cells_of
from optical_cli.config.experiment import WHOLE_TEXT, Experiment, in_one_language, languages_of, low_resource_pairs
from optical_cli.config.translate import TRANSLATE
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.errors import DataError
from optical_cli.imported_runs import imported_runs
from optical_cli.measures import main_measure
from optical_cli.pipeline import Pipeline
from optical_cli.report.findings import Duel, duels, find
from optical_cli.report.ledger import Entry
from optical_cli.report.published import Published, published_on
from optical_cli.report.result import Result, Setting
from optical_cli.report.study import Study
from optical_cli.sources import Sources
from optical_cli.sources.translated import translator_of
from optical_cli.sweep import cached_results, plan


def cached_study(pipeline: Pipeline) -> Study:
    """Every cell that the cache holds scores of, with findings; nothing is computed but these."""
    experiment, others = pipeline.experiment, list(imported_runs(pipeline))
    results = [*cached_results(pipeline), *(other.result for other in others)]
    measures, evaluation = experiment.evaluation.measures, experiment.evaluation
    findings = find(
        results,
        measures,
        main_measure(measures),
        reference=evaluation.reference,
        seed=evaluation.seed,
        low_resource=low_resource_pairs(evaluation.low_resource, experiment.pairs),
    )
    sources = Sources(experiment, pipeline.cache.fingerprints)
    return Study(
        name=experiment.name,
        transport=experiment.transport.in_words,
        measures=measures,
        results=results,
        findings=findings,
        texts={moved.pair: _texts(sources, moved.pair) for moved in findings.moved},
        ledger=[*_ledger(pipeline), *(_entry(other.artifact) for other in others)],
        published=tuple(_published(experiment, sources)),
        translated={name: pair.translated_by for name, pair in experiment.pairs.items() if pair.translated_by},
        translators={
            cell.pair: translator_of(experiment, cell.pair)
            for cell in cells_of(experiment)
            if cell.objective == TRANSLATE
        },
    )


def cached_duels(
    pipeline: Pipeline,
    setting: Setting,
    reference: Setting,
    pairs: Collection[str],
    changed: Pipeline | None = None,
) -> tuple[tuple[Duel, ...], dict[str, Mapping[str, str]]]:
    """Two settings on some pairs of the experiment by the tested measure, and by pair the texts of the topics.

    Args:
        pipeline: of the experiment.
        setting: one of it; with a variant, one of `changed`.
        reference: the other.
        pairs: on which they are compared.
        changed: of the experiment with other settings, if the first setting is to have them.

    Raises:
        DataError: a pair was scored on other topics there.
    """
    evaluation = pipeline.experiment.evaluation
    every = [*cached_results(pipeline), *(other.result for other in imported_runs(pipeline))]
    if changed is not None:
        every += [replace(result, variant=setting.variant) for result in cached_results(changed)]
    results = [result for result in every if result.pair in pairs]
    _check_topics([result for result in results if result.setting in (setting, reference)])
    found = duels(results, setting, reference, main_measure(evaluation.measures), evaluation.seed)
    sources = Sources(pipeline.experiment, pipeline.cache.fingerprints)
    return found, {duel.comparison.pair: _texts(sources, duel.comparison.pair) for duel in found}


def _check_topics(results: Iterable[Result]) -> None:
    first: dict[tuple[str, str], frozenset[str]] = {}
    for result in results:
        if result.scores is None:
            continue
        asked = frozenset(topic for of_one in result.scores.per_topic.values() for topic in of_one)
        if asked != first.setdefault((result.pair, result.corpus), asked):
            raise DataError(
                f"{result.pair}: {result.setting.label} was scored on other topics; the same topics and judgements "
                "expected of what is compared"
            )


def _published(experiment: Experiment, sources: Sources) -> Iterator[Published]:
    """What others have published of the pairs in one language that search the whole of a collection."""
    same_formula = (experiment.bm25.k1, experiment.bm25.b) == (0.9, 0.4) and experiment.retrieval.depth >= 100
    for name, pair in experiment.pairs.items():
        parts = (sources.documents(name), sources.topics(name), sources.judgements(name))
        ids = [part.dataset_id for part in parts if isinstance(part, IrDataset)]
        if len(ids) == len(parts) and pair.corpus == "full" and in_one_language(name):
            ours = same_formula and pair.text == WHOLE_TEXT
            yield from published_on(name, languages_of(name)[0], *ids, our_bm25_is_theirs=ours)


def _texts(sources: Sources, pair: str) -> Mapping[str, str]:
    """The topics of a pair; none where they are no longer at hand, which scores in the cache can do without."""
    try:
        return sources.topics(pair).topics()
    except DataError:
        return {}


def _ledger(pipeline: Pipeline) -> Iterator[Entry]:
    """The artifacts that the cache holds of the experiment, in the order in which they were made."""
    for planned in plan(pipeline):
        if planned.artifact is not None:
            yield _entry(planned.artifact)


def _entry(artifact: Artifact) -> Entry:
    manifest = artifact.manifest
    return Entry(
        kind=artifact.kind,
        label=manifest["label"],
        key=manifest["key"][:SHORT_DIGITS],
        seconds=float(manifest["seconds"]),
        size=artifact.size,
        tokens=manifest["health"].get("tokens"),
        created=manifest["created"],
        commit=manifest.get("git"),
        versions=manifest.get("versions", {}),
    )
