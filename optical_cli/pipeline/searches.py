"""Searching: the index of a pair's documents, and the runs over it, by tokens or by words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import NoReturn

from optical_cli.cache.artifact import Health
from optical_cli.config.baselines import STEMMED, Analyzer, bm25_objective, no_stemmer_for, stemmer_of
from optical_cli.config.experiment import Pair, in_one_language, languages_of
from optical_cli.config.objectives import TRANSLATE
from optical_cli.config.retrieval import STRUCTURE, SearchEngine, Structure
from optical_cli.errors import ConfigError
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.corpus import MODES, Corpus, Folders, FullCorpus
from optical_cli.pipeline.step import Step, make_step
from optical_cli.pipeline.students import Students, refuse_bm25
from optical_cli.pipeline.translations import TopicInput, Translations


class Searches:
    """The steps that end in a run."""

    def __init__(self, context: Context, students: Students) -> None:
        self._at = context
        self._sources = context.sources
        self._students = students
        self._translations = Translations(context)

    def index(self, cell: Cell) -> Step:
        """The token embeddings of the pair's documents, by the teacher or by the cell's student.

        Raises:
            ConfigError: BM25 has none.
        """
        refuse_bm25(cell)
        x, pair = self._at.experiment, self._at.experiment.pairs[cell.pair]
        _, language = languages_of(cell.pair)
        documents = self._sources.documents(cell.pair)
        encoder, corpus = self._encoder(language, cell), self.corpus(cell.pair)
        material = {
            "encoder": encoder.material,
            "documents": documents.fingerprint(self._at.cache.fingerprints),
            "corpus": corpus.material,
            "text": pair.text,
            "length": x.encoding.document_length,
            "precision": self._at.encoding_precision,
            **x.index.deciding(),
        }

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.index import build_index

            remote, read = self._at.remote, self._said(cell.pair, corpus.read(inputs))
            health = build_index(
                read.documents(),
                encoder.folder(inputs),
                folder,
                unfinished=self._at.cache.unfinished(step.kind, step.key),
                template=pair.text,
                count=read.count,
                kept=x.index,
                setup=self._at.setup,
                progress=self._at.progress,
                encode=remote.encode if remote else None,
            )
            return {**health, **read.health}

        label = "-".join(filter(None, [language, documents.name, corpus.label, x.index.name, encoder.label]))
        step = make_step("index", label, material, build, {**encoder.inputs, **corpus.inputs})
        return step

    def _structure(self, index: Step, engine: SearchEngine, structure: Structure) -> Step:
        """What an engine builds from an index."""
        how = self._at.experiment.retrieval.of(engine)
        material = {"index": index.key.digest, **how.of_the_structure}

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            made: Health = resolve_name(structure.build)(inputs["index"], folder, how=how, progress=self._at.progress)
            return made

        return make_step(structure.stage, index.label, material, build, {"index": index})

    def run(self, cell: Cell) -> Step:
        """The run of a cell.

        Raises:
            ConfigError: BM25 on a pair of two languages, or translated topics for documents that are not in the
                teacher's language.
        """
        if cell.objective == TRANSLATE:
            return self._maxsim_run(cell, self._translations.of(cell.pair))
        if cell.analyzer is None:
            return self._maxsim_run(cell, self._topics(cell.pair))
        if not in_one_language(cell.pair):
            raise ConfigError(
                f"{cell.pair}: BM25 matches words, and these topics and documents are in different languages; "
                "choose a pair of one language"
            )
        return self._bm25_run(self.corpus(cell.pair), cell.analyzer)

    def corpus(self, pair: str) -> FullCorpus:
        """The documents a pair is searched in, by its corpus mode."""
        whole = FullCorpus(self._sources, pair, _no_first_stage)
        mode = MODES[self._at.experiment.pairs[pair].corpus]
        return mode(self._sources, pair, lambda analyzer: self._bm25_run(whole, analyzer))

    def _topics(self, pair: str) -> TopicInput:
        """The topics of a pair as they are."""
        topics = self._sources.topics(pair)
        return TopicInput(
            languages_of(pair)[0],
            topics.fingerprint(self._at.cache.fingerprints),
            lambda _inputs: topics.topics(),
            {},
            _provenance(self._at.experiment.pairs[pair]),
        )

    def _maxsim_run(self, cell: Cell, asked: TopicInput) -> Step:
        x, engine = self._at.experiment, self._at.experiment.engine_of(cell.pair)
        index, encoder = self.index(cell), self._encoder(asked.language, cell)
        corpus = self.corpus(cell.pair)
        material = {
            "index": index.key.digest,
            "encoder": encoder.material,
            "topics": asked.material,
            "retrieval": x.retrieval.deciding_by(engine),
            "length": x.encoding.query_length,
            "precision": self._at.encoding_precision,
        }
        inputs = {"index": index, **encoder.inputs, **corpus.inputs, **asked.inputs}
        if engine.structure:
            inputs[STRUCTURE] = self._structure(index, engine, engine.structure)
            material[STRUCTURE] = inputs[STRUCTURE].key.digest
        parts = [cell.pair, corpus.label, x.index.name, engine.word, cell.name]
        label = "-".join(filter(None, parts)).replace(" ", "")

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve.search import search

            remote = self._at.remote
            health = search(
                asked.topics(inputs),
                encoder.folder(inputs),
                inputs["index"],
                folder,
                engine=engine,
                settings=x.retrieval,
                precision=self._at.search_precision(),
                tag=label,
                setup=self._at.setup,
                progress=self._at.progress,
                candidates=self._candidates(corpus, inputs),
                structure=inputs.get(STRUCTURE),
                open_exact=remote.open_exact if remote else None,
            )
            return {**health, **asked.provenance}

        return make_step("retrieve", label, material, build, inputs)

    def _bm25_run(self, corpus: FullCorpus, analyzer: Analyzer) -> Step:
        """A run by BM25; ConfigError if the language has no stemmer and its words are to be stemmed."""
        x, name, pair = self._at.experiment, corpus.pair, corpus.settings
        documents, topics = self._sources.documents(name), self._sources.topics(name)
        material = {
            "documents": documents.fingerprint(self._at.cache.fingerprints),
            "corpus": corpus.material,
            "text": pair.text,
            "topics": topics.fingerprint(self._at.cache.fingerprints),
            "analyzer": analyzer,
            "k1": x.bm25.k1,
            "b": x.bm25.b,
            "depth": x.retrieval.depth,
        }
        language = languages_of(name)[1]
        if analyzer == STEMMED:
            material["stemmer"] = stemmer_of(language)
            if material["stemmer"] is None:
                raise ConfigError(no_stemmer_for(language))
        label = f"{name}-{corpus.label}-{bm25_objective(analyzer)}".replace(" ", "")

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve.bm25 import search

            read = self._said(name, corpus.counted(inputs))
            health = search(
                topics.topics(), read.documents(), folder,
                analyzer=analyzer, language=language, k1=x.bm25.k1, b=x.bm25.b, template=pair.text, count=read.count,
                depth=x.retrieval.depth, tag=label, progress=self._at.progress,
                candidates=self._candidates(corpus, inputs),
            )  # fmt: skip
            return {**health, **read.health, **_provenance(pair)}

        return make_step("bm25", label, material, build, corpus.inputs)

    def _said(self, pair: str, corpus: Corpus) -> Corpus:
        """A corpus; the user is told if judged documents are not in the collection."""
        if absent := corpus.health.get("judged_not_in_collection"):
            self._at.progress.say(f"{pair}: {absent} judged documents are not in {self._sources.documents(pair).name}")
        return corpus

    def _candidates(self, corpus: FullCorpus, folders: Folders) -> Mapping[str, Sequence[str]] | None:
        """The candidates of each topic, if the corpus has some; the user is told how many topics have none."""
        found = corpus.candidates(folders)
        if found is not None and (without := len(self._sources.topics(corpus.pair).topics()) - len(found)):
            self._at.progress.say(f"{corpus.pair}: {without} topics have no candidates, and so no results")
        return found

    def _encoder(self, language: str, cell: Cell) -> "_Encoder":
        """The teacher for a side in its language, the student for any other. Nothing else decides it."""
        if language == self._at.experiment.teacher.language:
            teacher = self._sources.model(self._at.experiment.teacher.model)
            return _Encoder(teacher.fingerprint, teacher.label, lambda _inputs: teacher.folder, {})
        checkpoint = self._students.checkpoint(cell)
        needed = {"checkpoint": checkpoint}
        if self._at.experiment.student.adapters is not None and cell.is_trained:
            needed["start"] = checkpoint.inputs["start"]  # adapters alone are no encoder
        return _Encoder(checkpoint.key.digest, checkpoint.label, lambda inputs: inputs["checkpoint"], needed)


def _provenance(pair: Pair) -> Health:
    """Who translated the topics, for the manifest of a run; the key has what they say."""
    return {} if pair.translated_by is None else {"topics_translated_by": pair.translated_by}


def _no_first_stage(analyzer: Analyzer) -> NoReturn:
    raise ValueError(f"the whole collection needs no run by {analyzer}")


@dataclass(frozen=True)
class _Encoder:
    """What encodes one side: its name in keys and labels, its folder, and the steps whose artifacts it needs."""

    material: str
    label: str
    folder: Callable[[Mapping[str, Path]], Path]
    inputs: Mapping[str, Step]
