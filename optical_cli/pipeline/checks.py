"""Checks of all inputs before anything expensive starts: every source can be opened, and read to its end."""

import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from optical_cli.config.corpus import FULL
from optical_cli.config.experiment import Experiment
from optical_cli.config.measures import parse_measure
from optical_cli.data.absent import downloads_allowed
from optical_cli.data.collections import LocalFile
from optical_cli.data.models import is_called, matrix_names
from optical_cli.encoder.setup import SIDES, Side, dimensions_of, tokens_around
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.corpus import FullCorpus
from optical_cli.pipeline.inputs import inputs_of
from optical_cli.pipeline.looks import Look, looks_of
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.translations import translated_pairs, translated_topics

Item = TypeVar("Item")
_HARD = re.compile(r"hard[-_ ]?negatives?", re.IGNORECASE)


def refuse_missing(sources: Sources, remedy: str, *, content: bool) -> None:
    """Raise NotHere, with the names of all missing inputs, if inputs would have to be downloaded.

    Args:
        remedy: the command that downloads them.
        content: whether the inputs will be read. If not, a remembered fingerprint is enough, because all artifacts may
            be in the cache.
    """
    missing: dict[str, list[str]] = {}
    for each in inputs_of(sources):
        try:
            each.local_copy(sources.memo) if content else each.fingerprint(sources.memo, fetch=False)
        except NotHere:
            missing.setdefault(each.source, []).append(each.key)
        except DataError:  # other faults are reported when the input is opened or read
            continue
    if missing:
        listed = ", ".join(f"{source} ({', '.join(keys)})" for source, keys in missing.items())
        raise NotHere(f"offline, and not on this machine: {listed}; run `{remedy}` on a machine with network access")


def open_all(sources: Sources) -> None:
    """Open every input of the experiment, without reading it; DataError has a line for each fault."""
    absent: list[str] = []
    with sources.downloads():
        faults = _faults_of(lambda source: source.open(), inputs_of(sources), absent)
    if not faults:
        faults += _faults_of(partial(_find_adapted_layers, sources), [sources.init])
    _refuse(faults and [*faults, *absent])  # a wrong path of a model looks like the name of one to download


def read_all(sources: Sources, corpus_of: Callable[[str], FullCorpus]) -> list[str]:
    """Read all bitexts, topics, judgements, documents and candidates, and return warnings about them.

    Raises:
        DataError: inputs have faults; a line for each.
        ConfigError: no index can have the structure that a search engine is set to build.
    """
    x = sources.experiment
    warnings: list[str] = []
    sizes: dict[str, int] = {}
    with sources.downloads():
        faults = _faults_of(partial(_check_lengths, sources), dict.fromkeys((x.teacher.model, sources.init)))
        faults += _faults_of(lambda pair: _check_engine(sources, corpus_of(pair)), x.pairs)
        faults += _faults_of(lambda pair: sizes.update({pair: _most_documents(sources, corpus_of(pair))}), x.pairs)
        faults += _faults_of(lambda look: warnings.extend(_warnings_of(look)), looks_of(sources))
        faults += _faults_of(partial(_read_translations, sources), translated_pairs(x))
        faults += _faults_of(partial(_read_documents, sources), x.pairs)
        faults += _faults_of(lambda pair: _read_candidates(sources, corpus_of(pair)), x.pairs)
    _refuse(faults)
    most = max(sizes.get(pair, sys.maxsize) for pair in x.pairs)
    return [*_deeper_than_runs(x, most), *_not_marked(x), *warnings]


def _not_marked(x: Experiment) -> list[str]:
    """Warn of collections that are hard negatives by their names, and searched as if they were whole."""
    unmarked = [name for name, pair in x.pairs.items() if pair.corpus == FULL and _HARD.search(pair.collection)]
    return [
        f"pairs.{name}.corpus: {x.pairs[name].collection} has hard negatives by its name, and `full` would put its "
        "figures beside those of whole collections; set hard_negatives"
        for name in unmarked
    ]


def _warnings_of(look: Look) -> list[str]:
    seen = look.see()
    return [f"{look.key}: {seen.found}; {seen.doubt}"] if seen.doubt else []


def _deeper_than_runs(x: Experiment, documents: int) -> list[str]:
    """Warn of measures that look deeper than runs go; imported runs may go deeper than `retrieval.depth`."""
    cutoffs = {name: parse_measure(name).cutoff or 0 for name in x.evaluation.measures}
    deeper = [name for name, cutoff in cutoffs.items() if cutoff > x.retrieval.depth]
    if not deeper or documents <= x.retrieval.depth:
        return []
    return [
        f"evaluation.measures: {', '.join(deeper)} asked for, and retrieval.depth keeps {x.retrieval.depth} of the "
        f"documents for a topic; raise it to {max(cutoffs.values())}, or the figures miss what lies below"
    ]


def _find_adapted_layers(sources: Sources, init: str) -> None:
    """Raise DataError if the student lacks a layer that adapters are asked for."""
    adapters = sources.experiment.student.adapters
    if adapters is None or adapters.targets == "auto":
        return
    folder = sources.model(init).folder
    if not sources.is_local(init):
        return
    names = matrix_names(folder)
    for target in adapters.targets:
        if not any(is_called(name, target) for name in names):
            layers = [name for name in names if "embed" not in name and "pooler" not in name]
            known = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in layers))
            raise DataError(
                f"student.adapters.targets: {init} has no layer {target!r}; expected names or ends of names, such as "
                f"{known}, or auto for all layers"
            )


def _check_lengths(sources: Sources, model: str) -> None:
    """Raise DataError if a length has no room for a token of a text, so that every text would be encoded alike."""
    x, opened = sources.experiment, sources.model(model)
    if not sources.is_local(model):
        return
    settings: dict[str, tuple[int, Side, str]] = {
        "encoding.query_length": (x.encoding.query_length, "query", ""),
        "encoding.document_length": (x.encoding.document_length, "document", ""),
    }
    if x.bitext:
        settings |= {f"training.max_length ({side})": (x.training.max_length, side, "") for side in SIDES}
    for name, pair in x.pairs.items():
        before = pair.text.partition("{")[0]
        settings[f"encoding.document_length (pairs.{name}.text)"] = (x.encoding.document_length, "document", before)
    faults = []
    for key, (length, side, before) in settings.items():
        asked = f"tokens around a text: {opened.fingerprint} {side} {before}"
        around = sources.memo.of_inputs(asked, lambda: {"tokens": tokens_around(opened.folder, side, before)})["tokens"]  # noqa: B023
        if around is not None and length <= around:
            what = "special tokens, prompt and template" if before else "special tokens and prompt"
            faults.append(
                f"{key}: {length} tokens have no room for text, as {what} of {model} take {around}; expected at least "
                f"{around + 1}"
            )
    _refuse(faults)


def _check_engine(sources: Sources, corpus: FullCorpus) -> None:
    """Refuse settings of a search engine that no index of the corpus can have, before one is built."""
    x = sources.experiment
    engine, dimensions = x.engine_of(corpus.pair), dimensions_of(sources.teacher.folder)
    if engine.structure is None or dimensions is None:
        return
    tokens = _most_documents(sources, corpus) * x.encoding.document_length
    x.retrieval.settings_of(engine).check_index(tokens, dimensions)


def _most_documents(sources: Sources, corpus: FullCorpus) -> int:
    """Return an upper bound of the number of documents of a corpus; a number above all of them if unknown."""
    most = corpus.upper_bound(sources.documents(corpus.pair).count())
    return sys.maxsize if most is None else most


def _read_translations(sources: Sources, pair: str) -> None:
    if translations := sources.translations(pair):
        translated_topics(sources, pair, translations.topics())


def _read_documents(sources: Sources, pair: str) -> None:
    """Read a file of documents to its end, once for each content; fingerprints of ir_datasets do the same."""
    source = sources.documents(pair)
    if isinstance(source, LocalFile):
        name = f"documents read: {sources.fingerprint(source)}"
        sources.memo.of_stream(name, lambda: (doc.doc_id.encode() for doc in source.documents()))


def _read_candidates(sources: Sources, corpus: FullCorpus) -> None:
    """Raise DataError if candidates are not in the collection; run, topics and collection are compared only once."""
    run = sources.candidate_run(corpus.pair)
    if run is not None:
        compared = (run, sources.topics(corpus.pair), sources.documents(corpus.pair))
        name = f"candidates read: {' '.join(map(sources.fingerprint, compared))}"
        sources.memo.of_stream(name, lambda: (doc_id.encode() for doc_id in sorted(corpus.read({}).ids or ())))


def _faults_of(read: Callable[[Item], object], items: Iterable[Item], absent: list[str] | None = None) -> list[str]:
    """Return the faults of reading items; while downloads are off, a missing source joins `absent` instead."""
    faults = []
    for item in items:
        try:
            read(item)
        except NotHere as error:
            if downloads_allowed():
                raise
            if absent is not None:
                absent.append(str(error))
        except DataError as error:
            faults.append(str(error))
    return faults


def _refuse(faults: list[str]) -> None:
    """Raise DataError with each fault once, if there are any."""
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
