"""The inputs of an experiment, each under the setting that names it: what this machine holds, and bringing the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import Experiment, can_be_translated, languages_of
from optical_cli.data.absent import LocalCopy, downloads_off
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.data.models import resolve_model
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.sources import Sources


class Opened(Protocol):
    """An input that was found, though it may not be on this machine yet."""

    def fingerprint(self, memo: Fingerprints, /) -> str:
        """SHA-256 of what of it decides a result, 64 hex digits."""
        ...

    def local_copy(self, memo: Fingerprints | None = None, /) -> LocalCopy:
        """What this machine has of it; NotHere if it would have to be downloaded."""
        ...


@dataclass(frozen=True)
class Input:
    """An input of an experiment.

    Attributes:
        key: the setting that names it, such as `teacher.model`.
        source: what that says.
    """

    key: str
    source: str
    _open: Callable[[], Opened]

    def held(self, memo: Fingerprints | None = None) -> LocalCopy:
        """What this machine has of it, looked up without a network.

        Args:
            memo: also read to the end what is read to the end once only, and remember its fingerprint.

        Raises:
            NotHere: it would have to be downloaded.
            DataError: it cannot be used.
        """
        with downloads_off():
            return self._open().local_copy(memo)

    def fingerprint(self, memo: Fingerprints) -> str:
        """SHA-256 of what of it decides a result, 64 hex digits; downloads what is not here.

        Raises:
            DataError: it cannot be read.
        """
        return self._open().fingerprint(memo)

    def known_fingerprint(self, memo: Fingerprints) -> str:
        """The same as is remembered, or as it is read with no network.

        Raises:
            NotHere: it would have to be downloaded.
            DataError: it cannot be read.
        """
        with downloads_off():
            return self._open().fingerprint(memo)

    def fetch(self, memo: Fingerprints) -> LocalCopy:
        """Download what of it is missing, and read it once.

        Raises:
            DataError: it cannot be had, or cannot be used.
        """
        opened = self._open()
        if isinstance(opened, IrDataset):
            opened.download()  # a fingerprint that is remembered would read nothing
        opened.fingerprint(memo)
        return opened.local_copy(memo)


def refuse_absent(x: Experiment, memo: Fingerprints, remedy: str, *, to_be_read: bool) -> None:
    """Refuse an experiment with inputs that would have to be downloaded.

    What is wrong with an input in another way is not said here, but where it is opened.

    Args:
        x: the experiment.
        memo: remembers fingerprints.
        remedy: the command that downloads them.
        to_be_read: they have to be here; else it is enough that their fingerprints are remembered, for these are all
            that is asked of an input of which every artifact is in the cache.

    Raises:
        NotHere: naming all of them, in one line.
    """
    absent: dict[str, list[str]] = {}
    for one in inputs_of(x, memo):
        try:
            one.held(memo) if to_be_read else one.known_fingerprint(memo)
        except NotHere:
            absent.setdefault(one.source, []).append(one.key)
        except DataError:
            continue
    if absent:
        listed = ", ".join(f"{source} ({', '.join(keys)})" for source, keys in absent.items())
        raise NotHere(
            f"offline, and not on this machine: {listed}; `{remedy}` brings what is missing where there is a network"
        )


def inputs_of(x: Experiment, memo: Fingerprints) -> Iterator[Input]:
    """Models, bitexts, collections, topics, judgements and candidates, in the order of the experiment file.

    Args:
        x: the experiment.
        memo: remembers fingerprints.
    """
    sources = Sources(x, memo)
    yield Input("teacher.model", x.teacher.model, _model_opener(x, x.teacher.model))
    if x.student.init != "teacher":
        yield Input("student.init", x.student.init, _model_opener(x, x.student.init))
    for language, bitext in x.bitext.items():
        named = (bitext.dataset, bitext.config) if bitext.dataset else bitext.source or ()
        yield Input(f"bitext.{language}", " ".join(filter(None, named)), _opener(sources.bitext, language))
    for pair, settings in x.pairs.items():
        yield Input(f"pairs.{pair}.collection", settings.collection, _opener(sources.documents, pair))
        yield Input(f"pairs.{pair}.topics", settings.topics or settings.collection, _opener(sources.topics, pair))
        yield Input(f"pairs.{pair}.qrels", settings.qrels or settings.collection, _opener(sources.judgements, pair))
        if settings.candidates is not None and not x.bm25.analyzer_of(settings.candidates):
            yield Input(f"pairs.{pair}.candidates", settings.candidates, _opener(sources.candidate_run, pair))
    for pair in x.pairs:
        language = languages_of(pair)[0]
        translate = x.translate.get(language) if can_be_translated(pair, x.teacher.language) else None
        if translate is not None and translate.model is not None:
            yield Input(f"translate.{language}.model", translate.model, _model_opener(x, translate.model))
        elif translate is not None:
            yield Input(f"translate.{language}.topics", str(translate.topics), _opener(sources.translations, pair))


def _model_opener(x: Experiment, source: str) -> Callable[[], Opened]:
    return lambda: resolve_model(source, x.base)


def _opener(open_named: Callable[[str], Opened | None], name: str) -> Callable[[], Opened]:
    """Opening an input by the pair or language that has it."""

    def opened() -> Opened:
        found = open_named(name)
        assert found is not None  # noqa: S101 - only asked of a pair that names one
        return found

    return opened
