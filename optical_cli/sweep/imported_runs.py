"""Runs of other systems, measured like our own and reported as baselines.

An imported run belongs to every pair, of any experiment, with the topics, judgements, collection, corpus mode and
measures that it was measured with. It stays until its scores are removed from the cache.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from optical_cli.artifacts.result import Result
from optical_cli.artifacts.run import Ranking, read_run, read_tag, read_tags
from optical_cli.artifacts.scores import read_scores
from optical_cli.cache.artifact import Artifact, Damaged, Health
from optical_cli.cache.keys import key_of
from optical_cli.errors import DataError, several
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.corpus import FullCorpus
from optical_cli.pipeline.pipeline import write_measures
from optical_cli.pipeline.step import Folders, Step, make_step


class ImportedRun(NamedTuple):
    """The scores of a run of another system: the artifact in the cache, and the result for reports."""

    artifact: Artifact
    result: Result


def import_step(pipeline: Pipeline, pair: str, path: Path) -> Step:
    """Return the step that scores a TREC run file on a pair of the experiment.

    A run that is not in the cache yet is checked first.

    Raises:
        DataError: the file cannot be read, has documents or topics of another collection, or another run of the pair
            has its tag.
    """
    tag, corpus = read_tag(path), pipeline.corpus(pair)
    material = {"imported": pipeline.cache.fingerprints.of_file(path), **_belongs_to(pipeline, pair)}

    def build(folder: Path, _inputs: Folders) -> Health:
        return {"tag": tag, **write_measures(pipeline.sources, pair, read_run(path), folder)}

    label = f"{pair}-{corpus.label}-{tag}".replace(" ", "")
    step = make_step("evaluate", label, material, build, corpus.inputs)
    if pipeline.cache.find(*step.address) is None:
        pipeline.check()
        folders = {name: pipeline.upstream_folder(step, wanted) for name, wanted in corpus.inputs.items()}
        _check_corpus(read_run(path), corpus, folders, path)
        if others := read_tags(path)[1:]:
            found = f"{path} has {several(len(others), 'other tag')} besides {tag}, such as {others[0]}"
            pipeline.progress.say(f"warning: {found}; its results are taken as one run, {tag}")
    for other in imported_runs(pipeline):
        named = (other.result.pair, other.result.objective) == (pair, objective_of(tag))
        if named and other.artifact.manifest["key"] != step.key.digest:
            raise DataError(
                f"{path}: the tag {tag} is taken by another run of {pair}; change the tag in this file, or remove the "
                f"other run with `optical cache remove {other.artifact.folder.name}`"
            )
    return step


def objective_of(tag: str) -> str:
    """Return the objective that stands for an imported run, such as `run anserini`."""
    return f"run {tag}"


def imported_runs(pipeline: Pipeline) -> Iterator[ImportedRun]:
    """Yield the imported runs in the cache that belong to pairs of the experiment.

    Raises:
        CacheError: scores in the cache are damaged, and may be those of an imported run.
    """
    imported = [
        entry.checked()
        for entry in pipeline.cache.all_entries("scores")
        if isinstance(entry, Damaged) or "imported" in entry.manifest["material"]
    ]
    if not imported:
        return
    for pair, settings in pipeline.experiment.pairs.items():
        wanted = _belongs_to(pipeline, pair)
        for artifact in imported:
            if key_of({**artifact.manifest["material"], **wanted}).digest != artifact.manifest["key"]:
                continue
            result = Result(
                pair=pair,
                objective=objective_of(artifact.manifest["health"]["tag"]),
                reg=None,
                seed=pipeline.experiment.seeds[0],
                corpus=settings.corpus_name,
                scores=read_scores(artifact.folder / "scores.json"),
                failure=None,
                health=None,
                seconds=None,
            )
            yield ImportedRun(artifact, result)


def _belongs_to(pipeline: Pipeline, pair: str) -> dict[str, Any]:
    """Return the key material that a run must share with a pair to be compared on it."""
    sources = pipeline.sources
    return {
        "documents": sources.fingerprint(sources.documents(pair)),
        "corpus": pipeline.corpus(pair).identity,
        "topics": sources.fingerprint(sources.topics(pair)),
        "qrels": sources.fingerprint(sources.judgements(pair)),
        "measures": sorted(set(pipeline.experiment.evaluation.measures)),
    }


def _check_corpus(run: Mapping[str, Ranking], corpus: FullCorpus, inputs: Folders, path: Path) -> None:
    """Raise DataError if the run has documents that are not searched, or outside the candidates of their topic."""
    read, own = corpus.read(inputs), corpus.candidates(inputs)
    ranked = {doc_id for ranking in run.values() for doc_id, _ in ranking}
    allowed = read.ids if read.ids is not None else {doc.doc_id for doc in read.documents() if doc.doc_id in ranked}
    topics = corpus.sources.topics(corpus.pair)
    asked = topics.topics()
    if not asked.keys() & run.keys():
        found = f"found none of its {several(len(asked), 'topic')}, but such as {next(iter(run), 'none')!r}"
        raise DataError(f"{path}: a run of the topics of {topics.name} expected, {found}")
    outside = sorted(
        (doc_id, query_id)
        for query_id, ranking in run.items()
        for doc_id, _ in ranking
        if doc_id not in allowed or (own is not None and query_id in asked and doc_id not in own.get(query_id, ()))
    )
    if outside:
        doc_id, query_id = outside[0]
        mend = "" if read.ids is None else f", or set pairs.{corpus.pair}.corpus to full"
        raise DataError(
            f"{path}: a run over the corpus of {corpus.pair} ({corpus.label}) expected, found "
            f"{several(len(outside), 'document')} outside it, such as {doc_id!r} of topic {query_id!r}; "
            f"search that corpus{mend}, as scores on different corpora cannot be compared"
        )
