"""What the cache holds of an experiment, and what it says."""

from collections.abc import Iterator

from optical_cli.cache.keys import SHORT_DIGITS
from optical_cli.cache.store import Artifact
from optical_cli.measures import main_measure
from optical_cli.pipeline import Pipeline
from optical_cli.report.findings import find
from optical_cli.report.ledger import Entry
from optical_cli.report.study import Study
from optical_cli.sources import Sources
from optical_cli.sweep import cached_results, plan


def cached_study(pipeline: Pipeline) -> Study:
    """Every cell that the cache holds scores of, with findings; nothing is computed but these."""
    experiment, results = pipeline.experiment, cached_results(pipeline)
    measures, evaluation = experiment.evaluation.measures, experiment.evaluation
    findings = find(results, measures, main_measure(measures), reference=evaluation.reference, seed=evaluation.seed)
    sources = Sources(experiment, pipeline.cache.fingerprints)
    return Study(
        name=experiment.name,
        transport=experiment.transport.in_words,
        measures=measures,
        results=results,
        findings=findings,
        texts={moved.pair: sources.topics(moved.pair).topics() for moved in findings.moved},
        ledger=list(_ledger(pipeline)),
    )


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
