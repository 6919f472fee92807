"""The inputs of an experiment, each under the setting that names it: what is here, and fetching the rest."""

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
        source: the value of that setting.
        open: finds it, and downloads a model unless downloads are off.
    """

    key: str
    source: str
    open: Callable[[], Source]

    def local_copy(self, memo: Fingerprints | None = None) -> LocalCopy:
        """What this machine has of it; nothing is downloaded.

        With a `memo`, what is only read to its end once is read to its end, and its fingerprint remembered.

        Raises:
            NotHere: it would have to be downloaded.
            DataError: it cannot be used.
        """
        with downloads_off():
            return self.open().local_copy(memo)

    def fingerprint(self, memo: Fingerprints, *, fetch: bool) -> str:
        """SHA-256 of what of it decides a result, 64 hex digits; NotHere if it is missing and `fetch` is off."""
        with downloads_off(off=not fetch):
            return self.open().fingerprint(memo)


def inputs_of(sources: Sources) -> Iterator[Input]:
    """Models, bitexts, collections, topics, judgements and candidates, in the order of the experiment file."""
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
    if opened is None:  # only inputs that the experiment names are asked for
        raise ValueError("an input that the experiment does not name")
    return opened


@dataclass(frozen=True)
class Fetched:
    """An input after it was fetched.

    Attributes:
        downloaded: whether it, or a part of it, was not here before.
        held: what this machine has of it now; None if it cannot be had.
        fingerprint: 64 hex digits; "" if it cannot be had.
        fault: why it cannot be had; "" if it can.
    """

    input: Input
    downloaded: bool
    held: LocalCopy | None
    fingerprint: str
    fault: str = ""


def fetch_inputs(sources: Sources, say: Callable[[str], None]) -> Iterator[Fetched]:
    """Read each input once and download what is missing; one that cannot be had stops no other.

    Downloads are kept, so that the next try goes on: models and datasets with the rest of a file, ir_datasets with
    the next file. `say` is called with a line before each download.
    """
    memo = sources.memo
    for one in inputs_of(sources):
        downloaded = False
        try:
            try:
                held = one.local_copy(memo)
            except NotHere:
                say(f"{one.key}: downloading {one.source}")
                downloaded = True
                held = _download(one, memo)
            yield Fetched(one, downloaded, held, one.fingerprint(memo, fetch=False))
        except DataError as error:
            yield Fetched(one, downloaded, None, "", str(error))


def _download(one: Input, memo: Fingerprints) -> LocalCopy:
    """Download what of an input is missing, and read it once."""
    opened = one.open()
    if isinstance(opened, IrDataset):
        opened.download()  # a remembered fingerprint would read nothing
    opened.fingerprint(memo)
    return opened.local_copy(memo)
