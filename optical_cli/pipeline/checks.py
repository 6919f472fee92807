"""Checks of all inputs before anything expensive starts: every source can be opened, and read to its end."""

import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.config.measures import parse_measure
from optical_cli.data.absent import downloads_allowed
from optical_cli.data.collections import LocalFile
from optical_cli.data.documents import fills_blank
from optical_cli.data.languages import SAMPLE, looks_like_another
from optical_cli.data.models import is_called, matrix_names
from optical_cli.data.text_files import looks_like_header
from optical_cli.data.topics import match_topics
from optical_cli.encoder.setup import SIDES, Side, dimensions_of, tokens_around
from optical_cli.errors import DataError, NotHere
from optical_cli.pipeline.corpus import FullCorpus
from optical_cli.pipeline.inputs import inputs_of
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.translations import translated_pairs, translated_topics

Item = TypeVar("Item")

MOST_SHARING = 0.05
"""Share of the training pairs that may be lost without a warning, as they share a sentence with a held-out one."""
MOST_UNJUDGED = 0.5
"""Share of the topics that may lack judgements without a warning."""
MOST_ABSENT = 0.5
"""Share of the judged documents that a collection may lack; figures on one that lacks more mean nothing."""


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
    warnings: dict[str, str] = {}
    with sources.downloads():
        faults = _faults_of(partial(_check_lengths, sources), dict.fromkeys((x.teacher.model, sources.init)))
        faults += _faults_of(lambda pair: _check_engine(sources, corpus_of(pair)), x.pairs)
        faults += _faults_of(lambda language: warnings.update(_look_at_split(sources, language)), x.bitext)
        faults += _faults_of(lambda pair: warnings.update(_match_topics(sources, pair)), x.pairs)
        faults += _faults_of(partial(_read_translations, sources), translated_pairs(x))
        faults += _faults_of(partial(_read_documents, sources), x.pairs)
        faults += _faults_of(lambda pair: _read_candidates(sources, corpus_of(pair)), x.pairs)
        faults += _faults_of(lambda pair: warnings.update(_look_for_judged(sources, pair)), x.pairs)
        faults += _faults_of(lambda pair: warnings.update(_look_for_blank(sources, pair)), x.pairs)
    _refuse(faults)
    return [*_deeper_than_runs(x), *warnings.values()]


def _deeper_than_runs(x: Experiment) -> list[str]:
    """Warn of measures that look deeper than runs go; imported runs may go deeper than `retrieval.depth`."""
    cutoffs = {name: parse_measure(name).cutoff or 0 for name in x.evaluation.measures}
    deeper = [name for name, cutoff in cutoffs.items() if cutoff > x.retrieval.depth]
    if not deeper:
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


def _match_topics(sources: Sources, pair: str) -> dict[str, str]:
    """Raise DataError if no topic of a pair is judged, or a judged topic is missing; return warnings about topics."""
    topics, qrels = sources.topics(pair), sources.judgements(pair)
    judged, unjudged, missing = match_topics(topics.topics(), qrels.judgements())
    if not judged:
        raise DataError(
            f"pairs.{pair}: {qrels.name} judges none of the topics of {topics.name}; "
            "expected topics and qrels of the same collection"
        )
    if missing:
        raise DataError(
            f"pairs.{pair}: {qrels.name} judges {len(missing)} query ids that {topics.name} has no topic for, "
            f"such as {missing[0]!r}; add the topics or remove their judgements"
        )
    texts = topics.topics()
    warnings = {}
    if len(unjudged) > MOST_UNJUDGED * len(texts):
        found = f"{len(unjudged)} of {len(texts)} topics have no judgement, such as {unjudged[0]!r}"
        warnings[f"{pair} judged"] = f"pairs.{pair}: {found}; they are not measured"
    if guess := looks_like_another(list(texts.values()), languages_of(pair)[0]):
        found = f"{guess.share:.0%} of the topics of {topics.name} look like {guess.language!r}"
        warnings[f"{pair} language"] = f"pairs.{pair}: {found}, {languages_of(pair)[0]!r} expected"
    if looks_like_header([first := next(iter(texts))]):
        warnings[f"{pair} header"] = (
            f"pairs.{pair}: the first topic of {topics.name} is {first!r}, {texts[first]!r:.60}, which looks like a "
            "header; remove the line"
        )
    return warnings


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
    most = corpus.upper_bound(sources.documents(corpus.pair).count())
    tokens = sys.maxsize if most is None else most * x.encoding.document_length
    x.retrieval.settings_of(engine).check_index(tokens, dimensions)


def _look_at_split(sources: Sources, language: str) -> dict[str, str]:
    """Read and split a bitext; warn if holding pairs out costs many more than are held out."""
    x, split, warnings = sources.experiment, sources.split(language), {}
    pairs = sources.bitext(language).pairs()
    first = (pairs[0].teacher, pairs[0].foreign)
    if looks_like_header(first, language, x.teacher.language):
        found = f"the first pair is {first[0]!r} and {first[1]!r}, which looks like a header"
        warnings[f"{language} header"] = f"bitext.{language}: {found}; remove the line"
    for side, texts, code in (
        ("the teacher's sentences", [pair.teacher for pair in pairs[:SAMPLE]], x.teacher.language),
        ("the translations", [pair.foreign for pair in pairs[:SAMPLE]], language),
    ):
        if guess := looks_like_another(texts, code):
            found = f"{guess.share:.0%} of {side} look like {guess.language!r}, {code!r} expected"
            warnings[f"{language} {side}"] = f"bitext.{language}: {found}; check whether the columns are swapped"
    if split.sharing > max(len(split.held_out), MOST_SHARING * len(split.train)):
        remedy = "lower held_out, or remove translations that repeat"
        warnings[f"{language} sharing"] = f"bitext.{language}: {split.sharing_in_words}; {remedy}"
    sentences = {text for pair in pairs for text in (pair.teacher, pair.foreign)}
    asked = {sources.topics(pair) for pair in x.pairs if language in languages_of(pair)}
    topic_texts = {text for topics in asked for text in topics.topics().values()}
    if shared := sorted(topic_texts & sentences):
        found = f"{len(shared)} of {len(topic_texts)} topics are sentences of it, such as {shared[0]!r:.60}"
        warnings[f"{language} topics"] = f"bitext.{language}: {found}: a student has learned these by heart"
    return warnings


def _look_for_judged(sources: Sources, pair: str) -> dict[str, str]:
    """Look for the judged documents in the collection; refuse a collection that lacks most of them."""
    found = judged_documents(sources, pair)
    if not found["absent"]:
        return {}
    documents, qrels = sources.documents(pair), sources.judgements(pair)
    said = (
        f"pairs.{pair}: {found['absent']} of {found['judged']} documents that {qrels.name} judges are not in "
        f"{documents.name}, such as {found['example']!r}"
    )
    if found["written_otherwise"]:
        said += (
            f"; {found['written_otherwise']} of them are there in another Unicode normalisation (NFC, NFD): write ids "
            "alike in both"
        )
    if found["absent"] > MOST_ABSENT * found["judged"]:
        raise DataError(f"{said}; judgements of this collection expected")
    return {pair: f"{said}; no run can find them, which lowers every figure"}


def _look_for_blank(sources: Sources, pair: str) -> dict[str, str]:
    """Count the documents that are blank in the template; refuse a collection that has no others.

    A document with a title and no text is valid, and blank in a template without `{title}`.
    """
    documents, template = sources.documents(pair), sources.experiment.pairs[pair].text
    if "{title}" in template:
        return {}  # blank documents are refused, or limited to a share, when the collection is read

    def count() -> dict[str, Any]:
        blank = [fills_blank(template, document) for document in documents.documents()]
        return {"blank": sum(blank), "documents": len(blank)}

    found = sources.memo.of_inputs(f"blank documents of {template}: {sources.fingerprint(documents)}", count)
    if not found["blank"]:
        return {}
    said = (
        f"pairs.{pair}.text: {found['blank']} of {found['documents']} documents of {documents.name} are blank in "
        f"{template!r}; add {{title}} to it, or remove them"
    )
    if found["blank"] == found["documents"]:
        raise DataError(said)
    return {f"{pair} blank": said}


def judged_documents(sources: Sources, pair: str) -> dict[str, Any]:
    """Count the documents that are judged, and those among them that the collection lacks, with an example."""
    documents, qrels = sources.documents(pair), sources.judgements(pair)

    def count() -> dict[str, Any]:
        judged = {doc_id for grades in qrels.judgements().values() for doc_id in grades}
        absent, ids = set(judged), {_normalised(doc_id): doc_id for doc_id in judged}
        otherwise = set()
        for document in documents.documents():
            absent.discard(document.doc_id)
            if not document.doc_id.isascii():
                otherwise.add(ids.get(_normalised(document.doc_id)))
        example = min(absent, default=None)
        return {
            "judged": len(judged), "absent": len(absent), "example": example,
            "written_otherwise": len(otherwise & absent),
        }  # fmt: skip

    name = f"judged documents: {sources.fingerprint(documents)} {sources.fingerprint(qrels)}"
    return sources.memo.of_inputs(name, count)


def _normalised(doc_id: str) -> str:
    return doc_id if doc_id.isascii() else unicodedata.normalize("NFC", doc_id)


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
