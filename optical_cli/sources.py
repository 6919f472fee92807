"""The input data of an experiment: models, bitexts, collections, topics and judgements, opened as it names them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from optical_cli.artifacts.run import read_run
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment, can_be_translated, languages_of
from optical_cli.data.bitext import Bitext, open_bitext
from optical_cli.data.collections import (
    Document,
    DocumentSource,
    JudgementSource,
    Source,
    TopicSource,
    open_documents,
    open_judgements,
    open_topics,
)
from optical_cli.data.documents import fill
from optical_cli.data.downloads import downloads_allowed, downloads_off
from optical_cli.data.local_folder import LocalDocuments, LocalFile
from optical_cli.data.locations import as_path, local_path
from optical_cli.data.models import resolve_model
from optical_cli.data.pooling import pooled_ids
from optical_cli.data.split import Split, split_bitext
from optical_cli.data.stand_in import StandIn
from optical_cli.data.topics import match_topics
from optical_cli.data.weights import is_called, matrix_names
from optical_cli.encoder.side import Side
from optical_cli.errors import DataError, NotHere


@dataclass(frozen=True)
class ModelInput:
    """A model folder as keys and labels know it."""

    label: str
    folder: Path
    fingerprint: str


AnySource = TypeVar("AnySource", bound=Source)


@dataclass(frozen=True)
class Corpus:
    """The documents a pair is searched in.

    Attributes:
        source: the whole collection.
        ids: those that are taken; None for all.
        health: counts for the manifest.
    """

    source: DocumentSource
    ids: set[str] | None
    health: dict[str, Any]

    @property
    def count(self) -> int | None:
        """How many there are, if it is known before they are read."""
        return self.source.count() if self.ids is None else len(self.ids)

    def documents(self) -> Iterator[Document]:
        """Stream them, in the order of the collection."""
        return (doc for doc in self.source.documents() if self.ids is None or doc.doc_id in self.ids)


class Sources:
    """Everything an experiment reads, each opened once.

    Args:
        experiment: names the sources; relative paths are taken from its `base`.
        memo: remembers fingerprints.
        fetch: download what is not on this machine; else a stand-in is in its place, and keys that need it are unknown.
    """

    def __init__(self, experiment: Experiment, memo: Fingerprints, *, fetch: bool = True) -> None:
        self._experiment = experiment
        self._memo = memo
        self._fetch = fetch
        self._stand_ins: dict[Any, StandIn] = {}
        self.model = cache(self._model)
        self.bitext = cache(self._bitext)
        self.split = cache(self._split)
        self._checked = False

    def _model(self, source: str) -> ModelInput:
        label = source.partition("@")[0].rstrip("/").rsplit("/", 1)[-1].removeprefix("builtin:")
        try:
            with self._downloads():
                model = resolve_model(source, self._experiment.base)
        except NotHere as error:
            if self._fetch:
                raise
            self._stand_ins[source] = StandIn(source, str(error))
            return ModelInput(label, Path(source), self._stand_ins[source].fingerprint(self._memo))
        return ModelInput(label, model.folder, model.fingerprint(self._memo))

    def _downloads(self) -> AbstractContextManager[None]:
        return nullcontext() if self._fetch else downloads_off()

    def _or_stand_in(self, source: AnySource) -> AnySource | StandIn:
        """A source, or what stands for it where it is not on this machine and nothing is to be fetched."""
        if not self._fetch and source not in self._stand_ins:
            try:
                with downloads_off():
                    source.fingerprint(self._memo)
            except NotHere as error:
                self._stand_ins[source] = StandIn(source.name, str(error))
        return self._stand_ins.get(source, source)

    @property
    def not_here(self) -> list[str]:
        """Why each source that has a stand-in is not here, a line each."""
        return list(dict.fromkeys(source.reason for source in self._stand_ins.values()))

    def _bitext(self, language: str) -> Bitext:
        x = self._experiment
        return open_bitext(x.bitext[language], (x.teacher.language, language), x.base)

    def _split(self, language: str) -> Split:
        settings, bitext = self._experiment.bitext[language], self.bitext(language)
        return split_bitext(bitext.pairs(), settings.held_out, settings.max_pairs, bitext.name)

    def bitext_material(self, language: str) -> dict[str, Any]:
        """What of a bitext decides a result: its content, and which pairs of it are used."""
        settings = self._experiment.bitext[language]
        return {
            "content": self._or_stand_in(self.bitext(language)).fingerprint(self._memo),
            "filter": settings.filter.deciding(),
            "max_pairs": settings.max_pairs,
            "held_out": settings.held_out,
        }

    def documents(self, pair: str) -> DocumentSource:
        """The collection of a pair."""
        settings = self._experiment.pairs[pair]
        return self._or_stand_in(open_documents(settings.collection, languages_of(pair)[1], self._experiment.base))

    def topics(self, pair: str) -> TopicSource:
        """The topics of a pair, in its query language."""
        settings = self._experiment.pairs[pair]
        source = settings.topics or settings.collection
        topics = open_topics(source, languages_of(pair)[0], self._experiment.base, settings.topic_text)
        return self._or_stand_in(topics)

    def translations(self, pair: str) -> TopicSource | None:
        """The topics of a pair in the teacher's language, if they are there already and no model is to make them."""
        x = self._experiment
        settings = x.translate[languages_of(pair)[0]]
        if settings.topics is None:
            return None
        return self._or_stand_in(open_topics(settings.topics, x.teacher.language, x.base))

    def translated_topics(self, pair: str, translations: Mapping[str, str]) -> dict[str, str]:
        """The topics of a pair, each with the text of its translation, in the order of the topics.

        Raises:
            DataError: one has no translation.
        """
        topics = self.topics(pair)
        asked = topics.topics()
        if missing := [query_id for query_id in asked if query_id not in translations]:
            language = languages_of(pair)[0]
            raise DataError(
                f"translate.{language}.topics: {len(missing)} of {len(asked)} topics of {topics.name} have no "
                f"translation there, such as {missing[0]!r}; add them"
            )
        return {query_id: translations[query_id] for query_id in asked}

    def translator(self, pair: str) -> str:
        """Who or what translates the topics of a pair: as the experiment says, or the name of the model."""
        settings = self._experiment.translate[languages_of(pair)[0]]
        model = settings.model or ""
        here = model and local_path(model, self._experiment.base)
        return settings.by or (Path(model).name if here else model)

    def judgements(self, pair: str) -> JudgementSource:
        """The judgements of a pair, for its documents."""
        settings = self._experiment.pairs[pair]
        source = settings.qrels or settings.collection
        return self._or_stand_in(open_judgements(source, languages_of(pair)[1], self._experiment.base))

    def candidate_run(self, pair: str) -> LocalFile | None:
        """The run file whose documents are a pair's candidates; None if it has none, or those of BM25.

        Raises:
            DataError: there is no such file.
        """
        source = self._experiment.pairs[pair].candidates
        if source is None or self._experiment.bm25.analyzer_of(source):
            return None
        path = as_path(source, self._experiment.base)
        if not path.is_file():
            raise DataError(f"pairs.{pair}.candidates: {path}: no such file; a TREC run, or bm25, expected")
        return LocalFile(source, path)

    def candidates(self, pair: str, run: Path) -> dict[str, list[str]]:
        """The candidates of each topic that has some, best first.

        Args:
            pair: whose topics they are.
            run: the file that has them.

        Raises:
            DataError: the file is no run, or has none of the topics.
        """
        held, topics = read_run(run), self.topics(pair)
        found = {query_id: [doc_id for doc_id, _ in held[query_id]] for query_id in topics.topics() if query_id in held}
        if not found:
            raise DataError(
                f"{run}: has candidates for none of the topics of {topics.name}, but for such as "
                f"{next(iter(held), 'none')!r}; a run of these topics expected"
            )
        return found

    def corpus(self, pair: str, run: Path | None = None) -> Corpus:
        """The documents that a pair is searched in: all, or those of its corpus mode.

        Args:
            pair: of the experiment.
            run: the file that has its candidates, if that is the mode.

        Raises:
            DataError: a candidate is not in the collection.
        """
        settings, source = self._experiment.pairs[pair], self.documents(pair)
        if settings.corpus == "full":
            return Corpus(source, None, {})
        if run is not None:
            wanted = {doc_id for doc_ids in self.candidates(pair, run).values() for doc_id in doc_ids}
            if missing := wanted.difference(doc.doc_id for doc in source.documents()):
                raise DataError(
                    f"{run}: {len(missing)} of {len(wanted)} candidates are not in {source.name}, such as "
                    f"{min(missing)!r}; a run over this collection expected"
                )
            return Corpus(source, wanted, {})
        judged = {doc_id for grades in self.judgements(pair).judgements().values() for doc_id in grades}
        ids = (doc.doc_id for doc in source.documents())
        pool = pooled_ids(ids, judged, settings.pool_size, settings.pool_seed)
        return Corpus(source, pool.ids, {"judged_not_in_collection": len(pool.missing_judged)})

    def texts_material(self, languages: Collection[str]) -> dict[str, Any]:
        """What decides the texts of `texts_of`: the content of the sources."""
        return {
            "bitexts": [self.bitext_material(language) for language in sorted(languages)],
            "documents": sorted(self._collections_in(languages)),
            "topics": sorted(self._topics_in(languages)),
        }

    def texts_of(self, languages: Collection[str]) -> Iterator[tuple[Side | None, str]]:
        """Stream all texts that a student of these languages may meet in the experiment, and the side each is on.

        Both sides of its bitexts, for it may be started with the teacher's; whole collections, whatever the corpus
        mode, so that a pooled corpus and the full one are searched with one student.
        """
        for language in sorted(languages):
            for pair in self.split(language).pairs:
                yield None, pair.teacher
                yield None, pair.foreign
        for (_, template), name in sorted(self._collections_in(languages).items()):
            for document in self.documents(name).documents():
                yield "document", fill(template, document)
        for _, name in sorted(self._topics_in(languages).items()):
            for text in self.topics(name).topics().values():
                yield "query", text

    def _collections_in(self, languages: Collection[str]) -> dict[tuple[str, str], str]:
        """A pair for each collection in these languages, by its fingerprint and what of a document is encoded."""
        return {
            (self.documents(name).fingerprint(self._memo), pair.text): name
            for name, pair in self._experiment.pairs.items()
            if languages_of(name)[1] in languages
        }

    def _topics_in(self, languages: Collection[str]) -> dict[str, str]:
        """A pair for each set of topics in these languages, by its fingerprint."""
        names = (name for name in self._experiment.pairs if languages_of(name)[0] in languages)
        return {self.topics(name).fingerprint(self._memo): name for name in names}

    def open_all(self) -> None:
        """Open everything the experiment names; nothing is read yet.

        Raises:
            DataError: of all that cannot be opened, a line each.
        """
        x = self._experiment
        models = [x.teacher.model] + ([] if x.student.init == "teacher" else [x.student.init])
        translated = [(pair, x.translate[languages_of(pair)[0]].model) for pair in self._to_be_translated()]
        faults = [fault for source in models for fault in _faults_of(self.model, source)]
        faults += [fault for language in x.bitext for fault in _faults_of(self.bitext, language)]
        for pair in x.pairs:
            for opened in (self.documents, self.topics, self.judgements, self.candidate_run):
                faults += _faults_of(opened, pair)
        for pair, model in translated:
            faults += _faults_of(self.translations, pair) if model is None else _faults_of(self.model, model)
        if not faults:
            faults += _faults_of(self._adapted_layers, models[-1])
        if faults:
            raise DataError("\n".join(dict.fromkeys(faults)))

    def _to_be_translated(self) -> list[str]:
        """The pairs that can be searched by the teacher with translated topics, and have what translates them."""
        x = self._experiment
        return [
            pair
            for pair in x.pairs
            if can_be_translated(pair, x.teacher.language) and languages_of(pair)[0] in x.translate
        ]

    def _adapted_layers(self, init: str) -> None:
        """Meet adapters of a layer that the student does not have now, and not when the first training starts."""
        adapters = self._experiment.student.adapters
        if adapters is None or adapters.targets == "auto" or init in self._stand_ins:
            return
        names = matrix_names(self.model(init).folder)
        for target in adapters.targets:
            if not any(is_called(name, target) for name in names):
                layers = [name for name in names if "embed" not in name and "pooler" not in name]
                known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in layers))
                raise DataError(
                    f"student.adapters.targets: no layer of {init} is called {target!r}; "
                    f"names or their ends expected, of {known}, or auto for all"
                )

    def check(self) -> None:
        """Read bitexts, topics, judgements and documents once, before anything expensive starts.

        Raises:
            DataError: of all that is wrong with them, a line each.
        """
        if self._checked:
            return
        with self._downloads():
            self._read_all()
        self._checked = True

    def _read_all(self) -> None:
        faults = [fault for language in self._experiment.bitext for fault in _faults_of(self.split, language)]
        faults += [fault for pair in self._experiment.pairs for fault in _faults_of(self._match, pair)]
        faults += [fault for pair in self._to_be_translated() for fault in _faults_of(self._read_translations, pair)]
        faults += [fault for pair in self._experiment.pairs for fault in _faults_of(self._read_documents, pair)]
        faults += [fault for pair in self._experiment.pairs for fault in _faults_of(self._read_candidates, pair)]
        if faults:
            raise DataError("\n".join(dict.fromkeys(faults)))

    def _read_translations(self, pair: str) -> None:
        if translations := self.translations(pair):
            self.translated_topics(pair, translations.topics())

    def _read_documents(self, pair: str) -> None:
        """Meet a faulty document now and not after the training; a collection that was sound once is not read again."""
        source = self.documents(pair)
        if isinstance(source, LocalDocuments):  # one of ir_datasets is read and checked for its fingerprint
            name = f"documents read: {source.fingerprint(self._memo)}"
            self._memo.of_stream(name, lambda: (doc.doc_id.encode() for doc in source.documents()))

    def _read_candidates(self, pair: str) -> None:
        """Meet a candidate that is no document now; a run that was sound once is not compared again."""
        run = self.candidate_run(pair)
        if run is None:
            return
        read = " ".join(source.fingerprint(self._memo) for source in (run, self.topics(pair), self.documents(pair)))
        self._memo.of_stream(
            f"candidates read: {read}",
            lambda: (doc_id.encode() for doc_id in sorted(self.corpus(pair, run.path).ids or ())),
        )

    def _match(self, pair: str) -> None:
        topics, qrels = self.topics(pair), self.judgements(pair)
        judged, _, missing = match_topics(topics.topics(), qrels.judgements())
        if not judged:
            raise DataError(
                f"pairs.{pair}: none of the topics of {topics.name} is judged by {qrels.name}; "
                "topics and qrels of the same collection expected"
            )
        if missing:
            raise DataError(
                f"pairs.{pair}: {qrels.name} judges {len(missing)} query ids that {topics.name} has no topic for, "
                f"such as {missing[0]!r}; a judged topic that is never asked would be a score of its own: "
                "give its topic or remove its judgements"
            )


def _faults_of(read: Callable[[str], object], name: str) -> list[str]:
    """What is wrong with a source; that it is not here is no fault where it may stay so."""
    try:
        read(name)
    except NotHere:
        if downloads_allowed():
            raise
    except DataError as error:
        return [str(error)]
    return []
