"""What is looked at before anything expensive starts: that every source opens, and that it can be read to its end."""

from collections.abc import Callable, Iterable

from optical_cli.config.experiment import languages_of
from optical_cli.data.absent import downloads_allowed
from optical_cli.data.collections import LocalFile
from optical_cli.data.models import is_called, matrix_names
from optical_cli.data.topics import match_topics
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.corpus import FullCorpus
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.translations import translated_pairs, translated_topics


class Checks:
    """The checks of an experiment's input; all that is wrong is said at once.

    Args:
        sources: the input.
        corpus: the corpus of a pair.
    """

    def __init__(self, sources: Sources, corpus: Callable[[str], FullCorpus]) -> None:
        self._sources = sources
        self._corpus = corpus
        self._experiment = sources.experiment
        self._all_read = False

    def open_all(self) -> None:
        """Open everything the experiment names; nothing is read yet.

        Raises:
            DataError: of all that cannot be opened, a line each.
        """
        x, sources = self._experiment, self._sources
        init = x.teacher.model if x.student.init == "teacher" else x.student.init
        faults = _faults_of(sources.model, dict.fromkeys([x.teacher.model, init]))
        faults += _faults_of(sources.bitext, x.bitext)
        for pair in x.pairs:
            for opener in (sources.documents, sources.topics, sources.judgements, sources.candidate_run):
                faults += _faults_of(opener, [pair])
        faults += _faults_of(self._open_translations, translated_pairs(x))
        if not faults:
            faults += _faults_of(self._find_adapted_layers, [init])
        _refuse(faults)

    def read_all(self) -> None:
        """Read bitexts, topics, judgements and documents once.

        Raises:
            DataError: of all that is wrong with them, a line each.
        """
        if self._all_read:
            return
        x = self._experiment
        with self._sources.downloads():
            faults = _faults_of(self._sources.split, x.bitext)
            faults += _faults_of(self._match_topics, x.pairs)
            faults += _faults_of(self._read_translations, translated_pairs(x))
            faults += _faults_of(self._read_documents, x.pairs)
            faults += _faults_of(self._read_candidates, x.pairs)
            _refuse(faults)
        self._all_read = True

    def _open_translations(self, pair: str) -> None:
        """Open the translations of a pair, or the model that is to make them."""
        model = self._experiment.translate[languages_of(pair)[0]].model
        if model is None:
            self._sources.translations(pair)
        else:
            self._sources.model(model)

    def _find_adapted_layers(self, init: str) -> None:
        """Meet adapters of a layer that the student does not have now, and not when the first training starts."""
        adapters = self._experiment.student.adapters
        if adapters is None or adapters.targets == "auto" or not self._sources.is_here(init):
            return
        names = matrix_names(self._sources.model(init).folder)
        for target in adapters.targets:
            if not any(is_called(name, target) for name in names):
                layers = [name for name in names if "embed" not in name and "pooler" not in name]
                known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in layers))
                raise DataError(
                    f"student.adapters.targets: no layer of {init} is called {target!r}; "
                    f"names or their ends expected, of {known}, or auto for all"
                )

    def _match_topics(self, pair: str) -> None:
        """Meet topics and judgements that are not of the same collection."""
        topics, qrels = self._sources.topics(pair), self._sources.judgements(pair)
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

    def _read_translations(self, pair: str) -> None:
        if translations := self._sources.translations(pair):
            translated_topics(self._sources, pair, translations.topics())

    def _read_documents(self, pair: str) -> None:
        """Meet a faulty document now and not after the training; a collection that was sound once is not read again."""
        source, memo = self._sources.documents(pair), self._sources.memo
        if isinstance(source, LocalFile):  # one of ir_datasets is read and checked for its fingerprint
            name = f"documents read: {source.fingerprint(memo)}"
            memo.of_stream(name, lambda: (doc.doc_id.encode() for doc in source.documents()))

    def _read_candidates(self, pair: str) -> None:
        """Meet a candidate that is no document now; a run that was sound once is not compared again."""
        run, memo = self._sources.candidate_run(pair), self._sources.memo
        if run is None:
            return
        compared = (run, self._sources.topics(pair), self._sources.documents(pair))
        memo.of_stream(
            f"candidates read: {' '.join(source.fingerprint(memo) for source in compared)}",
            lambda: (doc_id.encode() for doc_id in sorted(self._corpus(pair).read({}).ids or ())),
        )


def _faults_of(read: Callable[[str], object], names: Iterable[str]) -> list[str]:
    """What is wrong with some sources; that one is not here is no fault where it may stay so."""
    faults = []
    for name in names:
        try:
            read(name)
        except NotHere:
            if downloads_allowed():
                raise
        except DataError as error:
            faults.append(str(error))
    return faults


def _refuse(faults: list[str]) -> None:
    """Raise DataError if there are faults, with each of them once."""
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
