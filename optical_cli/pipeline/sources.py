"""The inputs of an experiment: models, bitexts, collections, topics and judgements."""

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
from optical_cli.data.paths import as_path, exists
from optical_cli.errors import DataError, NotHere


class ModelInput(NamedTuple):
    """A model: its label, its folder, and its fingerprint for keys."""

    label: str
    folder: Path
    fingerprint: str


AnySource = TypeVar("AnySource", bound=Source)


class Sources:
    """The inputs of an experiment. Each model and bitext is opened once.

    Args:
        memo: remembers fingerprints of input data.
        fetch: download inputs that are not on this machine. If False, a `MissingSource` takes their place, and keys
            that depend on them are unknown.
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
        """Return the SHA-256 of a source's content, 64 hex digits; a mark that fits no key for a missing source."""
        return source.fingerprint(self.memo)

    @property
    def teacher(self) -> ModelInput:
        """The teacher of the experiment."""
        return self.model(self.experiment.teacher.model)

    @property
    def init(self) -> str:
        """The setting of the model that students start from: `student.init`, or the teacher's."""
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
        """Return the training pairs and the held-out pairs of a bitext."""
        settings, bitext = self.experiment.bitext[language], self.bitext(language)
        return split_bitext(bitext.pairs(), settings.held_out, settings.max_pairs, bitext.name)

    def bitext_material(self, language: str) -> dict[str, Any]:
        """Return the key material of a bitext: its content, and the settings that select its pairs."""
        settings = self.experiment.bitext[language]
        return {
            "content": self.fingerprint(self._or_placeholder(self.bitext(language))),
            "filter": settings.filter.key_material(),
            "max_pairs": settings.max_pairs,
            "held_out": settings.held_out,
        }

    def documents(self, pair: str) -> DocumentSource:
        """Return the collection of a pair."""
        x, settings = self.experiment, self.experiment.pairs[pair]
        return self._or_placeholder(open_documents(settings.collection, languages_of(pair)[1], x.base))

    def topics(self, pair: str) -> TopicSource:
        """Return the topics of a pair, in its query language."""
        x, settings = self.experiment, self.experiment.pairs[pair]
        source = settings.topics or settings.collection
        return self._or_placeholder(open_topics(source, languages_of(pair)[0], x.base, settings.topic_text))

    def translations(self, pair: str) -> TopicSource | None:
        """Return the given translations of a pair's topics; None if a model translates them."""
        x = self.experiment
        source = x.translate[languages_of(pair)[0]].topics
        return None if source is None else self._or_placeholder(open_topics(source, x.teacher.language, x.base))

    def judgements(self, pair: str) -> JudgementSource:
        """Return the judgements of a pair."""
        x, settings = self.experiment, self.experiment.pairs[pair]
        return self._or_placeholder(
            open_judgements(settings.qrels or settings.collection, languages_of(pair)[1], x.base)
        )

    def candidate_run(self, pair: str) -> LocalFile | None:
        """Return the run file with a pair's candidates; None if it has none, or takes those of BM25.

        Raises:
            DataError: the file does not exist.
        """
        source = self.experiment.pairs[pair].candidates
        if source is None or self.experiment.bm25.analyzer_of(source):
            return None
        path = as_path(source, self.experiment.base)
        if not exists(path) or not path.is_file():
            raise DataError(f"pairs.{pair}.candidates: {path} does not exist; expected a TREC run file, or bm25")
        return LocalFile(source, path)

    def downloads(self) -> AbstractContextManager[None]:
        """Return the context to read sources in: downloads are off unless `fetch` is set."""
        return nullcontext() if self._fetch else downloads_off()

    def is_local(self, model: str) -> bool:
        """Return whether a model that was opened is on this machine."""
        return model not in self._missing

    @property
    def not_here(self) -> list[str]:
        """The reasons why sources are missing, one line for each missing source."""
        return list(dict.fromkeys(source.reason for source in self._missing.values()))

    def _or_placeholder(self, source: AnySource) -> AnySource | MissingSource:
        if not self._fetch and source not in self._missing:
            try:
                with downloads_off():
                    self.fingerprint(source)
            except NotHere as error:
                self._missing[source] = MissingSource(source.name, str(error))
        return self._missing.get(source, source)
