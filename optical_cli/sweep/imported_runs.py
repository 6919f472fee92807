"""Runs of other systems: measured as our own are, and set beside them as baselines.

What is compared has to be the same: an imported run belongs to every pair with the topics, judgements, collection,
corpus mode and measures it was measured for, in whatever experiment, until its scores are removed from the cache.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from optical_cli.artifacts.result import Result
from optical_cli.artifacts.run import Ranking, read_run, read_tag
from optical_cli.artifacts.scores import read_scores, write_scores
from optical_cli.cache.artifact import Artifact, Damaged, Health
from optical_cli.cache.keys import key_of
from optical_cli.errors import DataError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.corpus import corpus_of
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Step, make_step


@dataclass(frozen=True)
class ImportedRun:
    """The scores of somebody else's run, and whose they are."""

    artifact: Artifact
    result: Result


def import_step(pipeline: Pipeline, pair: str, path: Path) -> Step:
    """The scores of a run file on a pair of the experiment.

    Args:
        pipeline: of the experiment.
        pair: whose topics, judgements and corpus the run is of.
        path: a TREC run file.

    Raises:
        DataError: it cannot be read, or another run of that pair has its tag.
    """
    tag = read_tag(path)
    sources = Sources(pipeline.experiment, pipeline.cache.fingerprints)
    material = {"imported": pipeline.cache.fingerprints.of_file(path), **_belongs_to(pipeline, sources, pair)}
    build = partial(_measure, pipeline, sources, pair, path, tag)
    corpus = pipeline.experiment.pairs[pair].corpus_name.replace(" ", "")
    step = make_step("scores", "evaluate", f"{pair}-{corpus}-{tag}", material, lambda folder, _inputs: build(folder))
    for other in imported_runs(pipeline):
        named = (other.result.pair, other.result.objective) == (pair, objective_of(tag))
        if named and other.artifact.manifest["key"] != step.key.digest:
            raise DataError(
                f"{path}: the tag {tag} already stands for another run of {pair}; give this one another tag, or "
                f"`optical cache remove {other.artifact.folder.name}` first"
            )
    return step


def objective_of(tag: str) -> str:
    """What a run is called beside the objectives of trainings: `run anserini`."""
    return f"run {tag}"


def imported_runs(pipeline: Pipeline) -> Iterator[ImportedRun]:
    """Those in the cache that belong to pairs of the experiment.

    Raises:
        CacheError: scores in the cache are damaged; they may be those of such a run, which would be missed in silence.
    """
    there = [
        entry.checked()
        for entry in pipeline.cache.all_entries("scores")
        if isinstance(entry, Damaged) or "imported" in entry.manifest["material"]
    ]
    if not there:
        return
    sources = Sources(pipeline.experiment, pipeline.cache.fingerprints)
    for pair, settings in pipeline.experiment.pairs.items():
        wanted = _belongs_to(pipeline, sources, pair)
        for artifact in there:
            if key_of({**artifact.manifest["material"], **wanted}).digest == artifact.manifest["key"]:
                scores = read_scores(artifact.folder / "scores.json")
                yield ImportedRun(
                    artifact,
                    Result(
                        pair=pair,
                        objective=objective_of(artifact.manifest["health"]["tag"]),
                        reg=None,
                        seed=pipeline.experiment.seeds[0],
                        corpus=settings.corpus_name,
                        scores=scores,
                        failure=None,
                        health=None,
                        seconds=None,
                    ),
                )


def _belongs_to(pipeline: Pipeline, sources: Sources, pair: str) -> dict[str, Any]:
    """What a run has to share with a pair to stand beside it."""
    settings, memo = pipeline.experiment.pairs[pair], pipeline.cache.fingerprints
    return {
        "documents": sources.documents(pair).fingerprint(memo),
        "corpus": [settings.corpus_name, settings.pool_seed if settings.corpus == "pooled" else None],
        "topics": sources.topics(pair).fingerprint(memo),
        "qrels": sources.judgements(pair).fingerprint(memo),
        "measures": sorted(set(pipeline.experiment.evaluation.measures)),
    }


def _measure(pipeline: Pipeline, sources: Sources, pair: str, path: Path, tag: str, folder: Path) -> Health:
    from optical_cli.evaluate import evaluate_run

    run = read_run(path)
    _check_corpus(run, sources, pair, path)
    judgements, topics = sources.judgements(pair).judgements(), sources.topics(pair).topics()
    scores = evaluate_run(run, judgements, topics, pipeline.experiment.evaluation.measures)
    write_scores(folder / "scores.json", scores)
    return {
        "tag": tag,
        "topics": scores.topics,
        "unjudged_topics": scores.unjudged_topics,
        "empty_topics": scores.empty_topics,
    }


def _check_corpus(run: Mapping[str, Ranking], sources: Sources, pair: str, path: Path) -> None:
    """Refuse a run that was not made over the pool of a pooled pair.

    Raises:
        DataError: it has documents that are not in the pool.
    """
    ids = corpus_of(sources, pair).ids
    if ids is None:
        return
    outside = sorted({doc_id for ranking in run.values() for doc_id, _ in ranking} - ids)
    if outside:
        raise DataError(
            f"{path}: a run over the corpus of {pair} expected, found {len(outside)} documents that are not in its "
            f"pool, such as {outside[0]!r}; figures on other corpora do not compare: search the pool, or set "
            f"pairs.{pair}.corpus to full"
        )
