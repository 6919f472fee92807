"""The inputs of an experiment: models, bitexts, collections, topics, judgements, opened once each."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.data.absent import MissingSource, downloads_off
from optical_cli.data.bitext import Bitext, Split, open_bitext, split_bitext
from optical_cli.data.collections import (
    DocumentSource,
    JudgementSource,
    LocalFile,
    Source,
    TopicSource,
    open_documents,
    open_judgements,
    open_topics,
)
from optical_cli.data.models import resolve_model
from optical_cli.data.paths import as_path
from optical_cli.errors import DataError, NotHere


class ModelInput(NamedTuple):
    """A model folder as keys and labels know it."""

    label: str
    folder: Path
    fingerprint: str


AnySource = TypeVar("AnySource", bound=Source)


class Sources:
    """Everything an experiment reads, each model and bitext opened once; `memo` remembers fingerprints.

    With `fetch`, what is not on this machine is downloaded; else a stand-in takes its place, and keys that need it are
    unknown.
    """

    def __init__(self, experiment: Experiment, memo: Fingerprints, *, fetch: bool = True) -> None:
        self.experiment = experiment
        self.memo = memo
        self._fetch = fetch
        self._missing: dict[Any, MissingSource] = {}
        self.model: Callable[[str], ModelInput] = cache(self._model)
        self.bitext: Callable[[str], Bitext] = cache(self._bitext)
        self.split: Callable[[str], Split] = cache(self._split)

    def fingerprint(self, source: Source | MissingSource) -> str:
        """SHA-256 of what of a source decides a result, 64 hex digits; of a stand-in, a mark that is no key."""
        return source.fingerprint(self.memo)

    @property
    def teacher(self) -> ModelInput:
        """The model that students learn from."""
        return self.model(self.experiment.teacher.model)

    @property
    def init(self) -> str:
        """The source of the model that students begin as."""
        x = self.experiment
        return x.teacher.model if x.student.init == "teacher" else x.student.init

    def _model(self, source: str) -> ModelInput:
        label = source.partition("@")[0].rstrip("/").rsplit("/", 1)[-1].removeprefix("builtin:")
        try:
            with self.downloads():
                model = resolve_model(source, self.experiment.base)
        except NotHere as error:
            if self._fetch:
                raise
            self._missing[source] = MissingSource(source, str(error))
            return ModelInput(label, Path(source), self.fingerprint(self._missing[source]))
        return ModelInput(label, model.folder, model.fingerprint(self.memo))

    def _bitext(self, language: str) -> Bitext:
        x = self.experiment
        return open_bitext(x.bitext[language], (x.teacher.language, language), x.base)

    def _split(self, language: str) -> Split:
        """The pairs of a bitext that are trained on, and those that are held out."""
        settings, bitext = self.experiment.bitext[language], self.bitext(language)
        return split_bitext(bitext.pairs(), settings.held_out, settings.max_pairs, bitext.name)

    def bitext_material(self, language: str) -> dict[str, Any]:
        """What of a bitext decides a result: its content, and which pairs of it are used."""
        settings = self.experiment.bitext[language]
        return {
            "content": self.fingerprint(self._or_missing(self.bitext(language))),
            "filter": settings.filter.key_material(),
            "max_pairs": settings.max_pairs,
            "held_out": settings.held_out,
        }

    def documents(self, pair: str) -> DocumentSource:
        """The collection of a pair."""
        x, settings = self.experiment, self.experiment.pairs[pair]
        return self._or_missing(open_documents(settings.collection, languages_of(pair)[1], x.base))

    def topics(self, pair: str) -> TopicSource:
        """The topics of a pair, in its query language."""
        x, settings = self.experiment, self.experiment.pairs[pair]
        source = settings.topics or settings.collection
        return self._or_missing(open_topics(source, languages_of(pair)[0], x.base, settings.topic_text))

    def translations(self, pair: str) -> TopicSource | None:
        """The topics of a pair in the teacher's language, if the experiment names some; None if a model makes them."""
        x = self.experiment
        source = x.translate[languages_of(pair)[0]].topics
        return None if source is None else self._or_missing(open_topics(source, x.teacher.language, x.base))

    def judgements(self, pair: str) -> JudgementSource:
        """The judgements of a pair, for its documents."""
        x, settings = self.experiment, self.experiment.pairs[pair]
        return self._or_missing(open_judgements(settings.qrels or settings.collection, languages_of(pair)[1], x.base))

    def candidate_run(self, pair: str) -> LocalFile | None:
        """The run file that has a pair's candidates; None if it has none, or those of BM25; DataError if missing."""
        source = self.experiment.pairs[pair].candidates
        if source is None or self.experiment.bm25.analyzer_of(source):
            return None
        path = as_path(source, self.experiment.base)
        if not path.is_file():
            raise DataError(f"pairs.{pair}.candidates: {path}: no such file; a TREC run, or bm25, expected")
        return LocalFile(source, path)

    def downloads(self) -> AbstractContextManager[None]:
        """The context in which sources are read: downloads are on or off, as `fetch` says."""
        return nullcontext() if self._fetch else downloads_off()

    def is_here(self, model: str) -> bool:
        """Whether a model that was opened is on this machine."""
        return model not in self._missing

    @property
    def not_here(self) -> list[str]:
        """Why each source that has a stand-in is not on this machine, a line each."""
        return list(dict.fromkeys(source.reason for source in self._missing.values()))

    def _or_missing(self, source: AnySource) -> AnySource | MissingSource:
        if not self._fetch and source not in self._missing:
            try:
                with downloads_off():
                    self.fingerprint(source)
            except NotHere as error:
                self._missing[source] = MissingSource(source.name, str(error))
        return self._missing.get(source, source)
