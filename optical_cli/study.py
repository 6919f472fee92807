"""What the cache holds of an experiment, and what it says."""

from optical_cli.measures import main_measure
from optical_cli.pipeline import Pipeline
from optical_cli.report.findings import find
from optical_cli.report.study import Study
from optical_cli.sweep import cached_results


def cached_study(pipeline: Pipeline) -> Study:
    """Every cell that the cache holds scores of, with findings; nothing is computed but these."""
    experiment, results = pipeline.experiment, cached_results(pipeline)
    measures, evaluation = experiment.evaluation.measures, experiment.evaluation
    return Study(
        name=experiment.name,
        transport=experiment.transport.in_words,
        measures=measures,
        results=results,
        findings=find(results, measures, main_measure(measures), reference=evaluation.reference, seed=evaluation.seed),
    )
