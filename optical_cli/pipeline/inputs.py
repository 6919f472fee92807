"""The inputs of an experiment, by the setting that names them, and the downloads of `optical fetch`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.experiment import languages_of
from optical_cli.data.absent import LocalCopy, downloads_off
from optical_cli.data.collections import Source
from optical_cli.data.ir_dataset import IrDataset
from optical_cli.data.models import resolve_model
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.translations import translated_pairs


@dataclass(frozen=True)
class Input:
    """An input of an experiment.

    Attributes:
        key: the setting that names it, such as `teacher.model`.
        source: the value of the setting.
        open: opens the input, without reading it. Models are downloaded unless downloads are off.
    """

    key: str
    source: str
    open: Callable[[], Source]

    def local_copy(self, memo: Fingerprints | None = None) -> LocalCopy:
        """Return the local copy, without downloading anything.

        With a `memo`, a collection of ir_datasets is read to its end once, and its fingerprint remembered.

        Raises:
            NotHere: the input would have to be downloaded.
            DataError: the input cannot be used.
        """
        with downloads_off():
            return self.open().local_copy(memo)

    def fingerprint(self, memo: Fingerprints, *, fetch: bool) -> str:
        """Return the SHA-256 of the input's content, 64 hex digits; NotHere if it is missing and `fetch` is off."""
        with downloads_off(off=not fetch):
            return self.open().fingerprint(memo)


def inputs_of(sources: Sources) -> Iterator[Input]:
    """Iterate over models, bitexts, collections, topics, judgements and candidates, in the order of the settings."""
    x = sources.experiment

    def model(key: str, source: str) -> Input:
        return Input(key, source, lambda: resolve_model(source, x.base))

    def named(key: str, source: str, opener: Callable[[str], Source | None], name: str) -> Input:
        return Input(key, source, lambda: _found(opener(name)))

    yield model("teacher.model", x.teacher.model)
    if x.student.init != "teacher":
        yield model("student.init", x.student.init)
    for language, bitext in x.bitext.items():
        source = (bitext.dataset, bitext.config) if bitext.dataset else bitext.source or ()
        yield named(f"bitext.{language}", " ".join(filter(None, source)), sources.bitext, language)
    for pair, settings in x.pairs.items():
        yield named(f"pairs.{pair}.collection", settings.collection, sources.documents, pair)
        yield named(f"pairs.{pair}.topics", settings.topics or settings.collection, sources.topics, pair)
        yield named(f"pairs.{pair}.qrels", settings.qrels or settings.collection, sources.judgements, pair)
        if settings.candidates is not None and not x.bm25.analyzer_of(settings.candidates):
            yield named(f"pairs.{pair}.candidates", settings.candidates, sources.candidate_run, pair)
    for pair in translated_pairs(x):
        language = languages_of(pair)[0]
        translate = x.translate[language]
        if translate.model is not None:
            yield model(f"translate.{language}.model", translate.model)
        else:
            yield named(f"translate.{language}.topics", str(translate.topics), sources.translations, pair)


def _found(opened: Source | None) -> Source:
    if opened is None:  # not reached: only inputs that the experiment names are opened
        raise ValueError("an input that the experiment does not name")
    return opened


@dataclass(frozen=True)
class Fetched:
    """An input after `fetch_inputs` has read or downloaded it.

    Attributes:
        downloaded: whether at least a part of it was downloaded now.
        held: the local copy; None if it is not available.
        fingerprint: 64 hex digits; "" if the input is not available.
        fault: why the input is not available; "" if it is.
    """

    input: Input
    downloaded: bool
    held: LocalCopy | None
    fingerprint: str
    fault: str = ""


def fetch_inputs(sources: Sources, say: Callable[[str], None]) -> Iterator[Fetched]:
    """Read each input once, and download missing ones; an input that fails does not stop the others.

    An interrupted download resumes the next time: models and datasets within a file, ir_datasets at the next file.
    `say` is called with a message before each download.
    """
    memo = sources.memo
    for each in inputs_of(sources):
        downloaded = False
        try:
            try:
                held = each.local_copy(memo)
            except NotHere:
                say(f"{each.key}: downloading {each.source}")
                downloaded = True
                held = _download(each, memo)
            yield Fetched(each, downloaded, held, each.fingerprint(memo, fetch=False))
        except DataError as error:
            yield Fetched(each, downloaded, None, "", str(error))


def _download(missing: Input, memo: Fingerprints) -> LocalCopy:
    """Download the missing files of an input, and read it once."""
    opened = missing.open()
    if isinstance(opened, IrDataset):
        opened.download()  # with a remembered fingerprint, nothing would be read or downloaded
    opened.fingerprint(memo)
    return opened.local_copy(memo)
