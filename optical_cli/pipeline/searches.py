"""Steps of the search: the index of a pair's documents, and runs by late interaction or BM25."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from optical_cli.cache.artifact import Health
from optical_cli.config.baselines import STEMMED, Analyzer, bm25_objective, no_stemmer_for, stemmer_of
from optical_cli.config.engines import STRUCTURE, SearchEngine, Structure
from optical_cli.config.experiment import in_one_language, languages_of
from optical_cli.config.objectives import TRANSLATE
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.errors import ConfigError
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.corpus import MODES, Corpus, FullCorpus
from optical_cli.pipeline.step import Folders, Step, make_step
from optical_cli.pipeline.students import refuse_bm25, student_step
from optical_cli.pipeline.translations import TopicInput, original_topic_input, translated_topic_input


def corpus_of(context: Context, pair: str) -> FullCorpus:
    """Return the documents that a pair searches, by its corpus mode."""

    def bm25_step(analyzer: Analyzer) -> Step:
        return _bm25_run(context, FullCorpus(context.sources, pair, bm25_step), analyzer)

    return MODES[context.experiment.pairs[pair].corpus](context.sources, pair, bm25_step)


def index_step(context: Context, cell: Cell) -> Step:
    """Return the step that encodes the documents of a pair by teacher or student; ConfigError for BM25."""
    refuse_bm25(cell)
    x, sources, language = context.experiment, context.sources, languages_of(cell.pair)[1]
    template, documents = x.pairs[cell.pair].text, sources.documents(cell.pair)
    encoder, corpus = _encoder(context, language, cell), corpus_of(context, cell.pair)
    material = {
        "encoder": encoder.material,
        "documents": sources.fingerprint(documents),
        "corpus": corpus.material,
        "text": template,
        "length": x.encoding.document_length,
        "precision": context.encoding_precision,
        **x.index.key_material(),
    }

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.index import build_index

        selected = corpus.read(inputs)
        _report_missing(context, corpus, selected)
        health = build_index(
            selected.documents(),
            encoder.folder(inputs),
            folder,
            unfinished=context.cache.unfinished(step.kind, step.key),
            template=template,
            count=selected.count,
            kept=x.index,
            setup=encoder.setup(context),
            progress=context.progress,
            encode=context.remote.encode if context.remote else None,
        )
        return {**health, **selected.health}

    label = "-".join(filter(None, [language, documents.name, corpus.label, x.index.name, encoder.label]))
    step = make_step("index", label, material, build, {**encoder.inputs, **corpus.inputs})
    return step


def run_step(context: Context, cell: Cell) -> Step:
    """Return the step of a cell's run.

    Raises:
        ConfigError: BM25 on a pair of two languages, or translated topics on documents that are not in the teacher's
            language.
    """
    if cell.analyzer is None:
        topics = translated_topic_input if cell.objective == TRANSLATE else original_topic_input
        return _maxsim_run(context, cell, topics(context, cell.pair))
    if not in_one_language(cell.pair):
        raise ConfigError(
            f"{cell.pair}: BM25 matches words, but topics and documents are in different languages; "
            "choose a pair of one language"
        )
    return _bm25_run(context, corpus_of(context, cell.pair), cell.analyzer)


def _maxsim_run(context: Context, cell: Cell, topics: TopicInput) -> Step:
    x, engine = context.experiment, context.experiment.engine_of(cell.pair)
    encoder, corpus = _encoder(context, topics.language, cell), corpus_of(context, cell.pair)
    index = index_step(context, cell)
    material = {
        "index": index.key.digest,
        "encoder": encoder.material,
        "topics": topics.material,
        "retrieval": x.retrieval.key_material_of(engine),
        "length": x.encoding.query_length,
        "precision": context.encoding_precision,
    }
    inputs = {"index": index, **encoder.inputs, **corpus.inputs, **topics.inputs}
    if engine.structure:
        inputs[STRUCTURE] = _structure_step(context, index, engine, engine.structure)
        material[STRUCTURE] = inputs[STRUCTURE].key.digest
    parts = [cell.pair, corpus.label, x.index.name, engine.label, cell.name]
    label = "-".join(filter(None, parts)).replace(" ", "")

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.retrieve.search import search

        health = search(
            topics.read(inputs),
            encoder.folder(inputs),
            inputs["index"],
            folder,
            engine=engine,
            settings=x.retrieval,
            precision=context.search_precision(),
            tag=label,
            setup=encoder.setup(context),
            progress=context.progress,
            candidates=_candidates(context, corpus, inputs),
            structure=inputs.get(STRUCTURE),
            open_exact=context.remote.open_exact if context.remote else None,
        )
        return {**health, **topics.provenance}

    return make_step("retrieve", label, material, build, inputs)


def _structure_step(context: Context, index: Step, engine: SearchEngine, structure: Structure) -> Step:
    """Return the step of the structure that an engine builds from an index."""
    how = context.experiment.retrieval.settings_of(engine)

    def build(folder: Path, inputs: Folders) -> Health:
        made: Health = resolve_name(structure.build)(inputs["index"], folder, how=how, progress=context.progress)
        return made

    material = {"index": index.key.digest, **how.structure_material}
    return make_step(structure.stage, index.label, material, build, {"index": index})


def _bm25_run(context: Context, corpus: FullCorpus, analyzer: Analyzer) -> Step:
    """Return the step of a BM25 run; ConfigError if the analyzer is `stemmed` and the language has no stemmer."""
    x, sources, language = context.experiment, context.sources, languages_of(corpus.pair)[1]
    template, topics = corpus.settings.text, original_topic_input(context, corpus.pair)
    material = {
        "documents": sources.fingerprint(sources.documents(corpus.pair)),
        "corpus": corpus.material,
        "text": template,
        "topics": topics.material,
        "analyzer": analyzer,
        "k1": x.bm25.k1,
        "b": x.bm25.b,
        "depth": x.retrieval.depth,
    }
    if analyzer == STEMMED:
        material["stemmer"] = stemmer_of(language)
        if material["stemmer"] is None:
            raise ConfigError(no_stemmer_for(language))
    label = f"{corpus.pair}-{corpus.label}-{bm25_objective(analyzer)}".replace(" ", "")

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.retrieve.bm25 import search

        selected = corpus.bm25_corpus(inputs)
        _report_missing(context, corpus, selected)
        health = search(
            topics.read(inputs),
            selected.documents(),
            folder,
            analyzer=analyzer,
            language=language,
            k1=x.bm25.k1,
            b=x.bm25.b,
            template=template,
            count=selected.count,
            depth=x.retrieval.depth,
            tag=label,
            progress=context.progress,
            candidates=_candidates(context, corpus, inputs),
        )
        return {**health, **selected.health, **topics.provenance}

    return make_step("bm25", label, material, build, corpus.inputs)


def _report_missing(context: Context, corpus: FullCorpus, selected: Corpus) -> None:
    """Report how many judged documents the collection lacks, if any."""
    if missing := selected.health.get("judged_not_in_collection"):
        context.progress.say(f"{corpus.pair}: {missing} judged documents are not in {selected.source.name}")


def _candidates(context: Context, corpus: FullCorpus, folders: Folders) -> Mapping[str, Sequence[str]] | None:
    """Return the candidates of each topic, if the corpus has any, and report how many topics have none."""
    found = corpus.candidates(folders)
    if found is not None and (without := len(context.sources.topics(corpus.pair).topics()) - len(found)):
        context.progress.say(f"{corpus.pair}: {without} topics have no candidates, and so no results")
    return found


class _Encoder(NamedTuple):
    """The encoder of one side: the teacher, or the student in the artifacts of `inputs`."""

    label: str
    material: str  # identifies it in keys
    inputs: Mapping[str, Step]
    teacher: Path

    def folder(self, folders: Folders) -> Path:
        """Return the folder of the encoder, given the folders of the inputs."""
        return folders["checkpoint"] if self.inputs else self.teacher

    def setup(self, context: Context) -> EncoderSetup:
        """Return how the encoder encodes texts."""
        return context.student_setup if self.inputs else context.setup


def _encoder(context: Context, language: str, cell: Cell) -> _Encoder:
    """Return the teacher for a side in its language, and the student for any other side."""
    teacher = context.sources.teacher
    if language == context.experiment.teacher.language:
        return _Encoder(teacher.label, teacher.fingerprint, {}, teacher.folder)
    checkpoint = student_step(context, cell)
    inputs = {"checkpoint": checkpoint}
    if context.experiment.student.adapters is not None and cell.is_trained:
        inputs["start"] = checkpoint.inputs["start"]  # adapters need the weights that they are added to
    return _Encoder(checkpoint.label, checkpoint.key.digest, inputs, teacher.folder)
